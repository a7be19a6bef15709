// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// serveH3 answers /N with N bytes.
func serveH3(s *settings) {
	transport := openTransport(s)
	listener, err := transport.ListenEarly(serverTLS(s, http3.NextProtoH3), quicConfig(s))
	check(err)
	server := &http3.Server{Handler: http.HandlerFunc(answerH3), ConnContext: countH3}
	go func() { _ = server.ServeListener(listener) }()
	fmt.Printf("listening on %s\n", transport.Conn.LocalAddr())
	answerLines()
}

func countH3(ctx context.Context, conn *quic.Conn) context.Context {
	opened()
	context.AfterFunc(conn.Context(), func() { ended(conn) })
	return ctx
}

func answerH3(out http.ResponseWriter, request *http.Request) {
	left, err := strconv.Atoi(request.URL.Path[1:])
	if err != nil {
		out.WriteHeader(http.StatusNotFound)
		return
	}
	out.Header().Set("content-length", strconv.Itoa(left))
	for left > 0 {
		size, err := out.Write(zeros[:min(left, block)])
		if err != nil {
			return
		}
		left -= size
	}
}

type fetcher struct {
	conn   *quic.Conn
	client *http3.ClientConn
}

func newFetcher(d *dialer) *fetcher {
	conn := d.dial()
	return &fetcher{conn, (&http3.Transport{DisableCompression: true}).NewClientConn(conn)}
}

func (f *fetcher) get(bytes uint64, buffer []byte) uint64 {
	request, err := http.NewRequest(http.MethodGet, fmt.Sprintf("https://localhost/%d", bytes), nil)
	check(err)
	response, err := f.client.RoundTrip(request)
	check(err)
	defer response.Body.Close()
	var got uint64
	for {
		size, err := response.Body.Read(buffer)
		got += uint64(size)
		if err == io.EOF {
			break
		}
		check(err)
	}
	if response.StatusCode != http.StatusOK || got != bytes {
		fail("%s with %d bytes", response.Status, got)
	}
	return got
}

// requests: -connections times -parallel requests of -bytes at a time.
func requests(s *settings) {
	dialer := newDialer(s, http3.NextProtoH3)
	var fetchers []*fetcher
	for range s.connections {
		fetchers = append(fetchers, newFetcher(dialer))
		fetchers[len(fetchers)-1].get(s.bytes, make([]byte, 4096))
	}
	var done atomic.Uint64
	var lanes sync.WaitGroup
	began := time.Now()
	for _, fetcher := range fetchers {
		for range s.parallel {
			lanes.Go(func() {
				buffer := make([]byte, 4096)
				for time.Since(began) < s.time {
					fetcher.get(s.bytes, buffer)
					done.Add(1)
				}
			})
		}
	}
	lanes.Wait()
	took := time.Since(began).Seconds()
	for _, fetcher := range fetchers {
		closeAll(fetcher.conn)
	}
	time.Sleep(goodbye)
	printFigures(figures{"count": done.Load(), "seconds": took})
}

// body fetches one large response.
func body(s *settings) {
	fetcher := newFetcher(newDialer(s, http3.NextProtoH3))
	began := time.Now()
	got := fetcher.get(s.bytes, make([]byte, block))
	took := time.Since(began).Seconds()
	closeAll(fetcher.conn)
	time.Sleep(goodbye)
	printFigures(figures{"bytes": got, "seconds": took})
}
