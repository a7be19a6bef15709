// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

const patience = 10 * time.Second

func serveOverTCP(s *settings) {
	config := serverConfig(s)
	config.NextProtos = []string{"http/1.1"}
	listener, err := net.Listen("tcp", s.listen)
	if err != nil {
		fail(exitFailed, "%v", err)
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	for {
		carrier, err := listener.Accept()
		if err != nil {
			fail(exitFailed, "%v", err)
		}
		go answer(tls.Server(carrier, config))
	}
}

func answer(conn *tls.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if err := conn.Handshake(); err != nil {
		fmt.Fprintf(os.Stderr, "a handshake failed: %v\n", err)
		return
	}
	report(conn.ConnectionState())
	lines := bufio.NewReader(conn)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		if strings.TrimSpace(line) == "" {
			break
		}
	}
	body := "hello " + conn.ConnectionState().ServerName + "\n"
	fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func attemptOverTCP(s *settings) func(*tls.Config) (bool, error) {
	return func(config *tls.Config) (bool, error) {
		config = config.Clone()
		config.NextProtos = []string{"http/1.1"}
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", s.connect, config)
		if err != nil {
			return false, err
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience))
		if _, err := conn.Write([]byte("GET / HTTP/1.0\r\n\r\n")); err != nil {
			return false, err
		}
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err == nil && !strings.Contains(line, " 200 ") {
			err = errors.New("the server answered " + line)
		}
		return conn.ConnectionState().ECHAccepted, err
	}
}
