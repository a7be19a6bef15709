// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

func serveOverQUIC(s *settings) {
	config := serverConfig(s)
	config.MinVersion = tls.VersionTLS13
	config.NextProtos = []string{http3.NextProtoH3}
	address, err := net.ResolveUDPAddr("udp", s.listen)
	if err != nil {
		fail(exitUsage, "%v", err)
	}
	socket, err := net.ListenUDP("udp", address)
	if err != nil {
		fail(exitFailed, "%v", err)
	}
	listener, err := (&quic.Transport{Conn: socket}).Listen(config, &quic.Config{})
	if err != nil {
		fail(exitFailed, "%v", err)
	}
	fmt.Printf("listening on %s\n", socket.LocalAddr())
	server := &http3.Server{Handler: http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		fmt.Fprintf(out, "hello %s\n", in.TLS.ServerName)
	})}
	for {
		conn, err := listener.Accept(context.Background())
		if err != nil {
			fail(exitFailed, "%v", err)
		}
		report(conn.ConnectionState().TLS)
		go func() { _ = server.ServeQUICConn(conn) }()
	}
}

func attemptOverQUIC(s *settings) func(*tls.Config) (bool, error) {
	return func(config *tls.Config) (bool, error) {
		config = config.Clone()
		config.NextProtos = []string{http3.NextProtoH3}
		limited, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		conn, err := quic.DialAddr(limited, s.connect, config, &quic.Config{})
		if err != nil {
			return false, err
		}
		accepted := conn.ConnectionState().TLS.ECHAccepted
		defer func() { _ = conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "") }()
		request, err := http.NewRequestWithContext(limited, http.MethodGet, "https://"+s.name+"/", nil)
		if err != nil {
			return accepted, err
		}
		response, err := (&http3.Transport{}).NewClientConn(conn).RoundTrip(request)
		if err != nil {
			return accepted, err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return accepted, errors.New("the server answered " + response.Status)
		}
		return accepted, nil
	}
}
