// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	hashicorp "github.com/hashicorp/yamux"
	libp2p "github.com/libp2p/go-yamux/v5"
)

var errUnsupported = errors.New("unsupported")

type stream interface {
	io.ReadWriter
	Finish() error
	Reset() error
	// IsReset tells whether an error of Read is the other side's reset.
	IsReset(err error) bool
}

type session interface {
	Open() (stream, error)
	Accept() (stream, error)
	// End closes as well as the library can.
	End() error
	Ended() <-chan struct{}
	// Orderly tells whether an error of Accept is an end without a fault.
	Orderly(err error) bool
	Ping() error
}

type library struct {
	module string
	start  func(conn net.Conn, client bool, keepAlive time.Duration) (session, error)
	resets string // why it cannot reset a stream, if it cannot
}

var libraries = map[string]library{
	"hashicorp-yamux": {"github.com/hashicorp/yamux", startHashicorp,
		"hashicorp/yamux has no reset: Close sends FIN, and RST only when the other side does not end for minutes"},
	"go-yamux": {"github.com/libp2p/go-yamux/v5", startLibp2p, ""},
}

type hashicorpSession struct{ *hashicorp.Session }
type hashicorpStream struct{ *hashicorp.Stream }

func startHashicorp(conn net.Conn, client bool, keepAlive time.Duration) (session, error) {
	config := hashicorp.DefaultConfig()
	if keepAlive != 0 {
		config.KeepAliveInterval = keepAlive
	}
	begin := hashicorp.Server
	if client {
		begin = hashicorp.Client
	}
	made, err := begin(conn, config)
	return hashicorpSession{made}, err
}

func (s hashicorpSession) Open() (stream, error) {
	made, err := s.OpenStream()
	return hashicorpStream{made}, err
}

func (s hashicorpSession) Accept() (stream, error) {
	made, err := s.AcceptStream()
	return hashicorpStream{made}, err
}

func (s hashicorpSession) End() error {
	if err := s.GoAway(); err != nil {
		return err
	}
	return s.Close()
}

func (s hashicorpSession) Ended() <-chan struct{} { return s.CloseChan() }
func (s hashicorpSession) Ping() error            { _, err := s.Session.Ping(); return err }
func (s hashicorpSession) Orderly(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, hashicorp.ErrSessionShutdown)
}
func (s hashicorpStream) Finish() error          { return s.Close() }
func (s hashicorpStream) Reset() error           { return errUnsupported }
func (s hashicorpStream) IsReset(err error) bool { return errors.Is(err, hashicorp.ErrConnectionReset) }

type libp2pSession struct{ *libp2p.Session }
type libp2pStream struct{ *libp2p.Stream }

func startLibp2p(conn net.Conn, client bool, keepAlive time.Duration) (session, error) {
	config := libp2p.DefaultConfig()
	if keepAlive != 0 {
		config.KeepAliveInterval = keepAlive
	}
	begin := libp2p.Server
	if client {
		begin = libp2p.Client
	}
	made, err := begin(conn, config, nil)
	return libp2pSession{made}, err
}

func (s libp2pSession) Open() (stream, error) {
	made, err := s.OpenStream(context.Background())
	return libp2pStream{made}, err
}

func (s libp2pSession) Accept() (stream, error) {
	made, err := s.AcceptStream()
	return libp2pStream{made}, err
}

func (s libp2pSession) End() error             { return s.Close() }
func (s libp2pSession) Ended() <-chan struct{} { return s.CloseChan() }
func (s libp2pSession) Ping() error            { _, err := s.Session.Ping(); return err }
func (s libp2pSession) Orderly(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, libp2p.ErrSessionShutdown) || errors.Is(err, libp2p.ErrRemoteGoAway)
}
func (s libp2pStream) Finish() error          { return s.CloseWrite() }
func (s libp2pStream) IsReset(err error) bool { return errors.Is(err, libp2p.ErrStreamReset) }
