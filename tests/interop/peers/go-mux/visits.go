// SPDX-License-Identifier: Apache-2.0
package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

const (
	small  = 1000
	medium = 100_000
	bulk   = 100_000_000
	atOnce = 100
)

func open(c session, order string) (stream, error) {
	s, err := c.Open()
	if err == nil {
		_, err = s.Write([]byte(order))
	}
	return s, err
}

func counted(order string, size uint64) string {
	return string(binary.BigEndian.AppendUint64([]byte(order), size))
}

func expectSum(from io.Reader, size uint64) error {
	n, sum, err := sumOf(from, math.MaxUint64)
	if err != nil {
		return err
	}
	if n != size || !bytes.Equal(sum, patternSum(size)) {
		return fmt.Errorf("%d bytes of %d, or others", n, size)
	}
	return nil
}

func expectEcho(s stream, size int) error {
	sent, back := make([]byte, size), make([]byte, size)
	_, _ = (&pattern{}).Read(sent)
	if _, err := s.Write(sent); err != nil {
		return err
	}
	if _, err := io.ReadFull(s, back); err != nil {
		return err
	}
	if !bytes.Equal(sent, back) {
		return errors.New("the echo differs")
	}
	return nil
}

func finishAndExpectEnd(s stream) error {
	if err := s.Finish(); err != nil {
		return err
	}
	n, _, err := sumOf(s, math.MaxUint64)
	if err == nil && n != 0 {
		return errors.New("bytes after the last")
	}
	return err
}

func echoOnce(c session, size uint64) error {
	s, err := open(c, "E")
	if err != nil {
		return err
	}
	if err := writePattern(s, size); err != nil {
		return err
	}
	if err := s.Finish(); err != nil {
		return err
	}
	return expectSum(s, size)
}

func many(c session) error {
	results := make(chan error)
	for range atOnce {
		go func() { results <- echoOnce(c, medium) }()
	}
	var failure error
	for range atOnce {
		failure = errors.Join(failure, <-results)
	}
	return failure
}

func uploaded(c session, order string, size uint64) error {
	s, err := open(c, order)
	if err != nil {
		return err
	}
	if err := writePattern(s, size); err != nil {
		return err
	}
	if err := s.Finish(); err != nil {
		return err
	}
	answer, err := io.ReadAll(s)
	if err != nil {
		return err
	}
	if string(answer) != counted("", size)+string(patternSum(size)) {
		return errors.New("the server counts or sums otherwise")
	}
	return nil
}

func download(c session) error {
	s, err := open(c, counted("D", bulk))
	if err != nil {
		return err
	}
	if err := s.Finish(); err != nil {
		return err
	}
	return expectSum(s, bulk)
}

func serverResets(c session) error {
	s, err := open(c, "R")
	if err != nil {
		return err
	}
	n, _, err := sumOf(s, math.MaxUint64)
	if !s.IsReset(err) || n > resetAfter {
		return fmt.Errorf("no reset after %d bytes: %v", n, err)
	}
	return echoOnce(c, small)
}

func clientResets(c session) error {
	s, err := open(c, "E")
	if err != nil {
		return err
	}
	if err := expectEcho(s, small); err != nil {
		return err
	}
	if err := s.Reset(); err != nil {
		return err
	}
	return echoOnce(c, small)
}

func serverFirst(c session) error {
	s, err := c.Open()
	if err != nil {
		return err
	}
	words := make([]byte, len(greeting))
	if _, err := io.ReadFull(s, words); err != nil || string(words) != greeting {
		return fmt.Errorf("greeted with %q, %v", words, err)
	}
	if _, err := s.Write([]byte("E")); err != nil {
		return err
	}
	if err := expectEcho(s, small); err != nil {
		return err
	}
	return finishAndExpectEnd(s)
}

func idle(c session) error {
	s, err := open(c, "E")
	if err != nil {
		return err
	}
	if err := expectEcho(s, small); err != nil {
		return err
	}
	if err := c.Ping(); err != nil {
		return err
	}
	time.Sleep(2 * time.Second)
	if err := expectEcho(s, small); err != nil {
		return err
	}
	if err := finishAndExpectEnd(s); err != nil {
		return err
	}
	return echoOnce(c, small)
}

func serverCloses(c session) error {
	if err := echoOnce(c, small); err != nil {
		return err
	}
	if _, err := open(c, "G"); err != nil {
		return err
	}
	select {
	case <-c.Ended():
	case <-time.After(5 * time.Second):
		return errors.New("the session did not end")
	}
	if _, err := c.Open(); err == nil {
		return errors.New("a stream was opened on a closed session")
	}
	return nil
}

func visit(lib library, c session, scenario string) error {
	switch scenario {
	case "echo", "client-closes":
		return echoOnce(c, small)
	case "many":
		return many(c)
	case "upload":
		return uploaded(c, counted("U", bulk), bulk)
	case "download":
		return download(c)
	case "half-close":
		return uploaded(c, "H", 3*medium)
	case "server-resets":
		return serverResets(c)
	case "client-resets":
		return clientResets(c)
	case "server-first":
		return serverFirst(c)
	case "idle":
		return idle(c)
	case "server-closes":
		return serverCloses(c)
	}
	return errors.New("no such scenario")
}
