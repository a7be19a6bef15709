// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

var errStatus = errors.New("the server refused the request")

type fetcher func(path string) (io.ReadCloser, error)

// download fetches every path over one connection and prints the report.
func download(s *settings) int {
	if s.pathsFile != "" {
		text, err := os.ReadFile(s.pathsFile)
		if err != nil {
			fail(exitUsage, "%v", err)
		}
		s.paths = append(s.paths, strings.Fields(string(text))...)
	}
	began := time.Now()
	conn, err := dial(s)
	if err != nil {
		fmt.Fprintf(os.Stderr, "no connection: %v\n", err)
		return exitFailed
	}
	handshake := time.Since(began)
	fetch := fetchHQ(conn)
	if s.alpn == http3.NextProtoH3 {
		fetch = fetchH3(s, conn)
	}
	received, err := downloadAll(s, fetch)
	seconds := time.Since(began).Seconds()
	if err == nil && s.linger > 0 {
		select {
		case <-conn.Context().Done():
		case <-time.After(s.linger):
		}
	}
	if err != nil {
		select { // a stream may fail a moment before its connection tells why
		case <-conn.Context().Done():
		case <-time.After(time.Second):
		}
	}
	report(conn, handshake, received, seconds)
	noError := quic.ApplicationErrorCode(0)
	if s.alpn == http3.NextProtoH3 {
		noError = quic.ApplicationErrorCode(http3.ErrCodeNoError)
	}
	_ = conn.CloseWithError(noError, "")
	switch {
	case errors.Is(err, errStatus):
		return exitHTTP
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return exitFailed
	}
	return 0
}

func dial(s *settings) (*quic.Conn, error) {
	address, err := net.ResolveUDPAddr("udp", s.connect)
	if err != nil {
		return nil, err
	}
	local := &net.UDPAddr{IP: net.IPv4zero}
	if address.IP.To4() == nil {
		local.IP = net.IPv6zero
	}
	socket, err := net.ListenUDP("udp", local)
	if err != nil {
		return nil, err
	}
	return quic.Dial(context.Background(), socket, address, &tls.Config{
		ServerName:   s.authority,
		RootCAs:      trusted(s.caCert),
		NextProtos:   []string{s.alpn},
		KeyLogWriter: keyLogWriter(s),
	}, quicConfig(s))
}

func fetchH3(s *settings, conn *quic.Conn) fetcher {
	client := (&http3.Transport{DisableCompression: true}).NewClientConn(conn)
	return func(path string) (io.ReadCloser, error) {
		request, err := http.NewRequest(http.MethodGet, "https://"+s.authority+path, nil)
		if err != nil {
			return nil, err
		}
		response, err := client.RoundTrip(request)
		if err != nil {
			return nil, err
		}
		if response.StatusCode != http.StatusOK {
			response.Body.Close()
			return nil, fmt.Errorf("%w: %s %s", errStatus, path, response.Status)
		}
		return response.Body, nil
	}
}

func fetchHQ(conn *quic.Conn) fetcher {
	return func(path string) (io.ReadCloser, error) {
		stream, err := conn.OpenStreamSync(context.Background())
		if err != nil {
			return nil, err
		}
		if _, err := fmt.Fprintf(stream, "GET %s\r\n", path); err != nil {
			return nil, err
		}
		_ = stream.Close() // fails when the server has the request line, answers and stops the rest
		return io.NopCloser(stream), nil
	}
}

func downloadAll(s *settings, fetch fetcher) (int64, error) {
	var received atomic.Int64
	var group sync.WaitGroup
	var mutex sync.Mutex
	var first error
	turns := make(chan struct{}, max(1, s.parallel))
	for _, name := range s.paths {
		turns <- struct{}{}
		group.Add(1)
		go func() {
			defer func() { <-turns; group.Done() }()
			if err := save(s, name, fetch, &received); err != nil {
				mutex.Lock()
				defer mutex.Unlock()
				if first == nil {
					first = fmt.Errorf("%s: %w", name, err)
				}
			}
		}()
	}
	group.Wait()
	return received.Load(), first
}

// save gives a file its name only when all of it has arrived.
func save(s *settings, name string, fetch fetcher, received *atomic.Int64) error {
	body, err := fetch(name)
	if err != nil {
		return err
	}
	defer body.Close()
	final := filepath.Join(s.outputDir, path.Base(name))
	file, err := os.Create(final + ".part")
	if err != nil {
		return err
	}
	size, err := io.Copy(file, body)
	received.Add(size)
	if err := errors.Join(refused(err), file.Close()); err != nil {
		return err
	}
	return os.Rename(final+".part", final)
}

// refused: hq-interop has no status; a server resets the stream of a file that it does not have.
func refused(err error) error {
	var reset *quic.StreamError
	if errors.As(err, &reset) && reset.Remote {
		return fmt.Errorf("%w: %w", errStatus, err)
	}
	return err
}

func report(conn *quic.Conn, handshake time.Duration, received int64, seconds float64) {
	var ended closing
	if err := context.Cause(conn.Context()); err != nil {
		ended = closingOf(err)
	}
	var code *uint64
	if ended.By == "peer" {
		code = ended.Code
	}
	printJSON(map[string]any{
		"handshake_ms": handshake.Seconds() * 1000,
		"bytes":        received,
		"seconds":      seconds,
		"close_code":   code,
		"close_space":  ended.Space,
		"resumed":      conn.ConnectionState().TLS.DidResume,
		"cipher":       cipherName(conn),
		"key_updates":  keyUpdates(conn),
	})
}
