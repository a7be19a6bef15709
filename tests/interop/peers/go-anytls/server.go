// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"

	anytls "github.com/anytls/sing-anytls"
	"github.com/anytls/sing-anytls/padding"
	"github.com/sagernet/sing/common/buf"
	"github.com/sagernet/sing/common/bufio"
	"github.com/sagernet/sing/common/logger"
	M "github.com/sagernet/sing/common/metadata"
	N "github.com/sagernet/sing/common/network"
	"github.com/sagernet/sing/common/uot"
)

const fallbackText = "an ordinary page\n"

type server struct{}

func (server) NewConnectionEx(ctx context.Context, conn net.Conn, _ M.Socksaddr, target M.Socksaddr, _ N.CloseHandlerFunc) {
	defer conn.Close()
	if err := serveTarget(ctx, conn, target); err != nil {
		fmt.Fprintf(os.Stderr, "to %v: %v\n", target, err)
	}
}

func serveTarget(ctx context.Context, conn net.Conn, target M.Socksaddr) error {
	switch target.Fqdn {
	case uot.MagicAddress:
		if err := N.ReportHandshakeSuccess(conn); err != nil {
			return err
		}
		request, err := uot.ReadRequest(conn)
		if err != nil {
			return err
		}
		return relayDatagrams(uot.NewConn(conn, *request))
	case uot.LegacyMagicAddress:
		if err := N.ReportHandshakeSuccess(conn); err != nil {
			return err
		}
		return relayDatagrams(uot.NewConn(conn, uot.Request{}))
	}
	out, err := net.Dial("tcp", target.String())
	if err != nil {
		return N.ReportHandshakeFailure(conn, err)
	}
	if err := N.ReportHandshakeSuccess(conn); err != nil {
		return err
	}
	return bufio.CopyConn(ctx, conn, out)
}

func relayDatagrams(inner *uot.Conn) error {
	outer, err := net.ListenUDP("udp", nil)
	if err != nil {
		return err
	}
	defer outer.Close()
	go func() {
		defer inner.Close()
		payload := make([]byte, largest)
		for {
			n, from, err := outer.ReadFromUDPAddrPort(payload)
			if err != nil {
				return
			}
			if _, err := inner.WriteTo(payload[:n], M.SocksaddrFromNetIP(from).Unwrap().UDPAddr()); err != nil {
				return
			}
		}
	}()
	payload := buf.NewSize(largest)
	defer payload.Release()
	for {
		payload.Reset()
		to, err := inner.ReadPacket(payload)
		if err != nil {
			return err
		}
		address, err := net.ResolveUDPAddr("udp", to.String())
		if err == nil {
			_, err = outer.WriteTo(payload.Bytes(), address)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "a datagram to %v was not sent: %v\n", to, err)
		}
	}
}

// fallback answers one request of HTTP/1.1, as a server in front of which anytls stands.
type fallback struct{ waiting chan net.Conn }

func (f fallback) NewConnectionEx(_ context.Context, conn net.Conn, _ M.Socksaddr, _ M.Socksaddr, _ N.CloseHandlerFunc) {
	ended := make(chan struct{})
	f.waiting <- &announced{conn, sync.OnceFunc(func() { close(ended) })}
	<-ended
}

type announced struct {
	net.Conn
	end func()
}

func (c *announced) Close() error {
	defer c.end()
	return c.Conn.Close()
}

func (f fallback) Accept() (net.Conn, error) { return <-f.waiting, nil }
func (f fallback) Close() error              { return nil }
func (f fallback) Addr() net.Addr            { return &net.TCPAddr{} }

func serviceOf(chosen options) *anytls.Service {
	scheme := padding.DefaultPaddingScheme
	if chosen.padding != "" {
		text, err := os.ReadFile(chosen.padding)
		if err != nil {
			fail(1, "%v", err)
		}
		scheme = text
	}
	config := anytls.ServiceConfig{
		PaddingScheme: scheme, Users: []anytls.User{{Name: "interop", Password: chosen.password}},
		Handler: server{}, Logger: logger.NOP(),
	}
	if chosen.fallback {
		handler := fallback{make(chan net.Conn)}
		config.FallbackHandler = handler
		go func() {
			_ = http.Serve(handler, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, fallbackText) }))
		}()
	}
	made, err := anytls.NewService(config)
	if err != nil {
		fail(1, "%v", err)
	}
	return made
}

func runServer(chosen options) {
	service := serviceOf(chosen)
	certificate, err := tls.LoadX509KeyPair(chosen.certificate, chosen.key)
	if err != nil {
		fail(1, "%v", err)
	}
	listener := tls.NewListener(listen(chosen.listen), &tls.Config{Certificates: []tls.Certificate{certificate}})
	for {
		conn, err := listener.Accept()
		if err != nil {
			fail(1, "%v", err)
		}
		go func() {
			defer conn.Close()
			session := atVersion(chosen.version, conn, false)
			if err := service.NewConnection(context.Background(), session, M.SocksaddrFromNet(conn.RemoteAddr()), nil); err != nil {
				fmt.Fprintf(os.Stderr, "a session ended: %v\n", err)
			}
		}()
	}
}
