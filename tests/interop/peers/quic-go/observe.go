// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/qlog"
	"github.com/quic-go/quic-go/qlogwriter"
)

// trace counts what the library tells only its qlog, and hands every event on to a file when there is one.
type trace struct {
	keyUpdates atomic.Int64
	file       qlogwriter.Trace
}

type recorder struct {
	trace *trace
	file  qlogwriter.Recorder
}

func (t *trace) AddProducer() qlogwriter.Recorder {
	r := &recorder{trace: t}
	if t.file != nil {
		r.file = t.file.AddProducer()
	}
	return r
}

func (r *recorder) RecordEvent(event qlogwriter.Event) {
	if update, ok := event.(qlog.KeyUpdated); ok && update.KeyPhase > 0 && update.KeyType == qlog.KeyTypeClient1RTT {
		r.trace.keyUpdates.Add(1)
	}
	if r.file != nil {
		r.file.RecordEvent(event)
	}
}

func (r *recorder) Close() error {
	if r.file != nil {
		return r.file.Close()
	}
	return nil
}

func newTrace(ctx context.Context, isClient bool, id quic.ConnectionID) qlogwriter.Trace {
	t := &trace{}
	if file := qlog.DefaultConnectionTracer(ctx, isClient, id); file != nil {
		t.file = file
	}
	return t
}

func keyUpdates(conn *quic.Conn) int64 {
	if t, ok := conn.QlogTrace().(*trace); ok {
		return t.keyUpdates.Load()
	}
	return 0
}

func quicConfig(s *settings) *quic.Config {
	if s.qlogDir != "" {
		_ = os.Setenv("QLOGDIR", s.qlogDir)
	}
	return &quic.Config{
		MaxIdleTimeout:       s.idleTimeout,
		HandshakeIdleTimeout: min(s.idleTimeout, 10*time.Second),
		MaxIncomingStreams:   1000,
		Tracer:               newTrace,
	}
}

func keyLogWriter(s *settings) io.Writer {
	if s.keyLog == "" {
		return nil
	}
	file, err := os.OpenFile(s.keyLog, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		fail(exitUsage, "%v", err)
	}
	return file
}

func trusted(path string) *x509.CertPool {
	pool := x509.NewCertPool()
	text, err := os.ReadFile(path)
	if err != nil || !pool.AppendCertsFromPEM(text) {
		fail(exitUsage, "no certificates in %q: %v", path, err)
	}
	return pool
}

// closing says who ended a connection and how.
type closing struct {
	By    string  `json:"by"`
	Space string  `json:"space"`
	Code  *uint64 `json:"code"`
}

func closingOf(err error) closing {
	var application *quic.ApplicationError
	var transport *quic.TransportError
	who := map[bool]string{true: "peer", false: "self"}
	switch {
	case errors.As(err, &application):
		code := uint64(application.ErrorCode)
		return closing{who[application.Remote], "application", &code}
	case errors.As(err, &transport):
		code := uint64(transport.ErrorCode)
		return closing{who[transport.Remote], "transport", &code}
	default:
		return closing{By: "timeout"}
	}
}

var printing sync.Mutex

func printJSON(value any) {
	printing.Lock()
	defer printing.Unlock()
	_ = json.NewEncoder(os.Stdout).Encode(value)
}

func cipherName(conn *quic.Conn) string {
	return tls.CipherSuiteName(conn.ConnectionState().TLS.CipherSuite)
}
