// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"time"

	anytls "github.com/anytls/sing-anytls"
	"github.com/sagernet/sing/common/bufio"
	"github.com/sagernet/sing/common/logger"
	M "github.com/sagernet/sing/common/metadata"
	N "github.com/sagernet/sing/common/network"
	"github.com/sagernet/sing/common/uot"
)

type client struct {
	*anytls.Client
	options
}

// client is what udp-over-tcp opens its streams with.
func (c *client) DialContext(ctx context.Context, _ string, destination M.Socksaddr) (net.Conn, error) {
	return c.CreateProxy(ctx, destination)
}

func (c *client) ListenPacket(context.Context, M.Socksaddr) (net.PacketConn, error) {
	return nil, os.ErrInvalid
}

var _ N.Dialer = (*client)(nil)

func (c *client) datagramClient() *uot.Client {
	return &uot.Client{Dialer: c, Version: uint8(c.datagrams)}
}

func tlsConfigOf(chosen options) *tls.Config {
	text, err := os.ReadFile(chosen.authority)
	if err != nil {
		fail(1, "%v", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return &tls.Config{ServerName: chosen.name, RootCAs: roots}
}

func runClient(chosen options) {
	config := tlsConfigOf(chosen)
	dial := func(ctx context.Context) (net.Conn, error) {
		made, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", chosen.server)
		if err != nil {
			return nil, err
		}
		return atVersion(chosen.version, made, true), nil
	}
	made, err := anytls.NewClient(context.Background(), anytls.ClientConfig{
		Password: chosen.password, IdleSessionCheckInterval: 30 * time.Second, IdleSessionTimeout: 30 * time.Second,
		DialOut: dial, Logger: logger.NOP(),
	})
	if err != nil {
		fail(1, "%v", err)
	}
	used := &client{made, chosen}
	listener := listen(chosen.listen)
	for {
		conn, err := listener.Accept()
		if err != nil {
			fail(1, "%v", err)
		}
		go func() {
			if err := used.serve(conn); err != nil {
				fmt.Fprintf(os.Stderr, "a connection ended: %v\n", err)
			}
			conn.Close()
		}()
	}
}

func (c *client) serve(conn net.Conn) error {
	command, target, err := readRequest(conn)
	if err != nil {
		return err
	}
	if command == associate {
		return c.serveDatagrams(conn)
	}
	stream, err := c.CreateProxy(context.Background(), target)
	if err != nil {
		_ = writeReply(conn, generalFailure, nil)
		return err
	}
	if err := writeReply(conn, succeeded, nil); err != nil {
		return err
	}
	return bufio.CopyConn(context.Background(), conn, stream)
}
