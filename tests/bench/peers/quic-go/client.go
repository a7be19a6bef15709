// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/binary"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
)

// The CONNECTION_CLOSE leaves a moment after CloseWithError.
const goodbye = 5 * time.Millisecond

func request(kind byte, bytes uint64) []byte {
	return binary.LittleEndian.AppendUint64([]byte{kind}, bytes)
}

func closeAll(conns ...*quic.Conn) {
	for _, conn := range conns {
		check(conn.CloseWithError(0, ""))
		ended(conn)
	}
}

// fetch says how many bytes came.
func fetch(conn *quic.Conn, bytes uint64, buffer []byte) uint64 {
	stream, err := conn.OpenStreamSync(context.Background())
	check(err)
	_, err = stream.Write(request('B', bytes))
	check(err)
	check(stream.Close())
	var got uint64
	for {
		size, err := stream.Read(buffer)
		got += uint64(size)
		if err == io.EOF {
			return got
		}
		check(err)
	}
}

func bulk(s *settings) {
	conn := newDialer(s, alpn).dial()
	buffer := make([]byte, block)
	began := time.Now()
	got := fetch(conn, s.bytes, buffer)
	took := time.Since(began).Seconds()
	closeAll(conn)
	time.Sleep(goodbye)
	printFigures(figures{"bytes": got, "seconds": took})
}

func handshake(s *settings) {
	dialer := newDialer(s, alpn)
	closeAll(dialer.dial())
	var done atomic.Uint64
	var lanes sync.WaitGroup
	began := time.Now()
	for range s.parallel {
		lanes.Go(func() {
			for time.Since(began) < s.time {
				closeAll(dialer.dial())
				done.Add(1)
			}
		})
	}
	lanes.Wait()
	took := time.Since(began).Seconds()
	time.Sleep(goodbye)
	printFigures(figures{"count": done.Load(), "seconds": took})
}

func pingpong(s *settings) {
	conn := newDialer(s, alpn).dial()
	stream, err := conn.OpenStreamSync(context.Background())
	check(err)
	_, err = stream.Write(request('E', 0))
	check(err)
	var ping, pong [64]byte
	took := make([]time.Duration, 0, s.count)
	for round := range s.count + s.count/10 {
		began := time.Now()
		_, err := stream.Write(ping[:])
		check(err)
		_, err = io.ReadFull(stream, pong[:])
		check(err)
		if round >= s.count/10 {
			took = append(took, time.Since(began))
		}
	}
	slices.Sort(took)
	closeAll(conn)
	time.Sleep(goodbye)
	at := func(part int) float64 {
		return float64(took[min(len(took)*part/100, len(took)-1)].Nanoseconds()) * 1e-3
	}
	printFigures(figures{"count": len(took), "p50_us": at(50), "p99_us": at(99)})
}

// hold does the steps of its input, one a line: `open`, `transfer` and `close`, each for all connections.
func hold(s *settings) {
	dialer := newDialer(s, alpn)
	var held []*quic.Conn
	buffer := make([]byte, block)
	eachLine(func(step string) {
		switch step {
		case "open":
			for range s.count {
				held = append(held, dialer.dial())
			}
		case "transfer":
			for _, conn := range held {
				fetch(conn, s.bytes, buffer)
			}
		case "close":
			closeAll(held...)
			held = nil
		}
		printFigures(figures{"open": len(held)})
	})
}
