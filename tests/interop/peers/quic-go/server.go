// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

type connectionKey struct{}

type server struct {
	settings  *settings
	closeCode *uint64
	h3        *http3.Server
	mutex     sync.Mutex
	live      map[*quic.Conn]bool
	reports   sync.WaitGroup
}

func serve(s *settings) {
	certificate, err := tls.LoadX509KeyPair(s.cert, s.key)
	if err != nil {
		fail(exitUsage, "%v", err)
	}
	address, err := net.ResolveUDPAddr("udp", s.listen)
	if err != nil {
		fail(exitUsage, "%v", err)
	}
	socket, err := net.ListenUDP("udp", address)
	if err != nil {
		fail(exitFailed, "%v", err)
	}
	transport := &quic.Transport{Conn: socket, VerifySourceAddress: func(net.Addr) bool { return s.retry }}
	listener, err := transport.Listen(&tls.Config{
		Certificates: []tls.Certificate{certificate},
		NextProtos:   protocols(s),
		KeyLogWriter: keyLogWriter(s),
	}, quicConfig(s))
	if err != nil {
		fail(exitFailed, "%v", err)
	}
	srv := newServer(s)
	fmt.Printf("listening on %s\n", socket.LocalAddr())
	go srv.stopAtSignal()
	for {
		conn, err := listener.Accept(context.Background())
		if err != nil {
			fail(exitFailed, "%v", err)
		}
		srv.reports.Add(1)
		go srv.report(conn)
		go srv.handle(conn)
	}
}

func newServer(s *settings) *server {
	srv := &server{settings: s, live: map[*quic.Conn]bool{}}
	if s.closeCode != "" {
		code, err := strconv.ParseUint(s.closeCode, 0, 62)
		if err != nil {
			fail(exitUsage, "%v", err)
		}
		srv.closeCode = &code
	}
	srv.h3 = &http3.Server{
		Handler: srv.handler(),
		ConnContext: func(ctx context.Context, conn *quic.Conn) context.Context {
			return context.WithValue(ctx, connectionKey{}, conn)
		},
	}
	return srv
}

func (srv *server) handler() http.Handler {
	files := http.FileServer(http.Dir(srv.settings.dir))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if srv.closeCode != nil {
			srv.closeNow(r.Context().Value(connectionKey{}).(*quic.Conn))
			return
		}
		files.ServeHTTP(w, r)
	})
}

func (srv *server) closeNow(conn *quic.Conn) {
	_ = conn.CloseWithError(quic.ApplicationErrorCode(*srv.closeCode), "as asked")
}

func (srv *server) handle(conn *quic.Conn) {
	if conn.ConnectionState().TLS.NegotiatedProtocol == http3.NextProtoH3 {
		_ = srv.h3.ServeQUICConn(conn)
		return
	}
	for {
		stream, err := conn.AcceptStream(context.Background())
		if err != nil {
			return
		}
		go srv.answer(conn, stream)
	}
}

// answer serves one request of hq-interop.
func (srv *server) answer(conn *quic.Conn, stream *quic.Stream) {
	line, err := bufio.NewReader(io.LimitReader(stream, 4096)).ReadString('\n')
	name, isGet := strings.CutPrefix(strings.TrimSpace(line), "GET ")
	if (err != nil && err != io.EOF) || !isGet {
		stream.CancelWrite(1)
		return
	}
	if srv.closeCode != nil {
		srv.closeNow(conn)
		return
	}
	file, err := os.Open(filepath.Join(srv.settings.dir, filepath.FromSlash(path.Clean("/"+name))))
	if err != nil {
		stream.CancelWrite(4)
		return
	}
	defer file.Close()
	if _, err := io.Copy(stream, file); err != nil {
		stream.CancelWrite(2)
		return
	}
	_ = stream.Close()
}

func (srv *server) report(conn *quic.Conn) {
	defer srv.reports.Done()
	srv.mutex.Lock()
	srv.live[conn] = true
	srv.mutex.Unlock()
	<-conn.Context().Done()
	srv.mutex.Lock()
	delete(srv.live, conn)
	srv.mutex.Unlock()
	state := conn.ConnectionState().TLS
	printJSON(struct {
		Event      string `json:"event"`
		ALPN       string `json:"alpn"`
		Cipher     string `json:"cipher"`
		KeyUpdates int64  `json:"key_updates"`
		closing
	}{"closed", state.NegotiatedProtocol, cipherName(conn), keyUpdates(conn), closingOf(context.Cause(conn.Context()))})
}

func (srv *server) stopAtSignal() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	<-signals
	srv.mutex.Lock()
	for conn := range srv.live {
		go conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
	}
	srv.mutex.Unlock()
	srv.reports.Wait()
	os.Exit(0)
}
