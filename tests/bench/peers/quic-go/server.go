// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"github.com/quic-go/quic-go"
)

const (
	alpn  = "bench"
	block = 256 * 1024
)

var zeros [block]byte

// serve serves until its input ends; each line of it is answered with the figures so far.
func serve(s *settings) {
	transport := openTransport(s)
	listener, err := transport.Listen(serverTLS(s, alpn), quicConfig(s))
	check(err)
	fmt.Printf("listening on %s\n", transport.Conn.LocalAddr())
	go func() {
		for {
			conn, err := listener.Accept(context.Background())
			check(err)
			opened()
			go visit(conn)
		}
	}()
	answerLines()
}

func visit(conn *quic.Conn) {
	for {
		stream, err := conn.AcceptStream(context.Background())
		if err != nil {
			ended(conn)
			return
		}
		go func() {
			if err := answer(stream); err != nil {
				fmt.Fprintln(os.Stderr, "stream:", err)
			}
		}()
	}
}

func answer(stream *quic.Stream) error {
	var request [9]byte
	if _, err := io.ReadFull(stream, request[:]); err != nil {
		return err
	}
	if request[0] == 'E' {
		return echo(stream)
	}
	left := binary.LittleEndian.Uint64(request[1:])
	for left > 0 {
		size, err := stream.Write(zeros[:min(left, block)])
		if err != nil {
			return err
		}
		left -= uint64(size)
	}
	return stream.Close()
}

func echo(stream *quic.Stream) error {
	var buffer [4096]byte
	for {
		size, err := stream.Read(buffer[:])
		if size > 0 {
			if _, err := stream.Write(buffer[:size]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return stream.Close()
		}
		if err != nil {
			return nil // the client has closed the connection
		}
	}
}
