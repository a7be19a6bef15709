// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// A stream begins with a kind: 'U' and everything is read and counted, then the count comes back; 'E' and one byte comes back.

func answer(s stream, block int) error {
	var kind [1]byte
	if _, err := io.ReadFull(s, kind[:]); err != nil {
		return err
	}
	if kind[0] == 'E' {
		if _, err := s.Write(kind[:]); err != nil {
			return err
		}
		return s.Finish()
	}
	buffer := make([]byte, block)
	var got uint64
	for {
		size, err := s.Read(buffer)
		got += uint64(size)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if _, err := s.Write(binary.LittleEndian.AppendUint64(nil, got)); err != nil {
		return err
	}
	return s.Finish()
}

func serveConnection(lib *library, conn net.Conn, s *settings) {
	made, err := lib.start(conn, false, s)
	check(err)
	for {
		next, err := made.Accept()
		if err != nil {
			return
		}
		go func() { _ = answer(next, s.block) }()
	}
}

func serve(lib *library, s *settings) {
	listener, err := (&net.ListenConfig{Control: s.control}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	check(err)
	fmt.Printf("listening on %s\n", listener.Addr())
	go func() {
		for {
			conn, err := listener.Accept()
			check(err)
			go serveConnection(lib, conn, s)
		}
	}()
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		printFigures(nil)
	}
}

const writeSize = 256 << 10

func upload(made session, bytes uint64, memory []byte) error {
	s, err := made.Open()
	if err != nil {
		return err
	}
	if _, err := s.Write([]byte{'U'}); err != nil {
		return err
	}
	for left := bytes; left != 0; {
		size := min(left, uint64(len(memory)))
		if _, err := s.Write(memory[:size]); err != nil {
			return err
		}
		left -= size
	}
	if err := s.Finish(); err != nil {
		return err
	}
	var count [8]byte
	if _, err := io.ReadFull(s, count[:]); err != nil {
		return err
	}
	if binary.LittleEndian.Uint64(count[:]) != bytes {
		return errors.New("the transfer was cut off")
	}
	return nil
}

func bulk(lib *library, s *settings) {
	made, err := lib.start(s.dial(), true, s)
	check(err)
	each := s.bytes / uint64(s.parallel)
	memory := make([]byte, writeSize)
	var lanes sync.WaitGroup
	began := time.Now()
	for range s.parallel {
		lanes.Go(func() { check(upload(made, each, memory)) })
	}
	lanes.Wait()
	took := time.Since(began).Seconds()
	printFigures(map[string]any{"bytes": each * uint64(s.parallel), "seconds": took})
	_ = made.Close()
}

func openOne(made session) error {
	s, err := made.Open()
	if err != nil {
		return err
	}
	byteThere := []byte{'E'}
	if _, err := s.Write(byteThere); err != nil {
		return err
	}
	if err := s.Finish(); err != nil {
		return err
	}
	if _, err := io.ReadFull(s, byteThere); err != nil {
		return err
	}
	if _, err := s.Read(byteThere); err != io.EOF {
		return errors.New("no end of the stream")
	}
	return nil
}

func opens(lib *library, s *settings) {
	made, err := lib.start(s.dial(), true, s)
	check(err)
	var done atomic.Uint64
	var lanes sync.WaitGroup
	began := time.Now()
	for range s.parallel {
		lanes.Go(func() {
			for time.Since(began) < s.time {
				check(openOne(made))
				done.Add(1)
			}
		})
	}
	lanes.Wait()
	took := time.Since(began).Seconds()
	printFigures(map[string]any{"count": done.Load(), "seconds": took})
	_ = made.Close()
}
