// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"net"

	hashicorp "github.com/hashicorp/yamux"
	libp2p "github.com/libp2p/go-yamux/v5"
)

type stream interface {
	io.ReadWriter
	// Finish ends what this side sends, and reads go on.
	Finish() error
}

type session interface {
	Open() (stream, error)
	Accept() (stream, error)
	Close() error
}

type library struct {
	module string
	start  func(conn net.Conn, client bool, s *settings) (session, error)
}

var libraries = map[string]*library{
	"hashicorp": {"github.com/hashicorp/yamux", startHashicorp},
	"libp2p":    {"github.com/libp2p/go-yamux/v5", startLibp2p},
}

type hashicorpSession struct{ *hashicorp.Session }
type hashicorpStream struct{ *hashicorp.Stream }

func startHashicorp(conn net.Conn, client bool, s *settings) (session, error) {
	config := hashicorp.DefaultConfig()
	if s.window != 0 {
		config.MaxStreamWindowSize = uint32(s.window)
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

func (s hashicorpStream) Finish() error { return s.Close() }

type libp2pSession struct{ *libp2p.Session }
type libp2pStream struct{ *libp2p.Stream }

func startLibp2p(conn net.Conn, client bool, s *settings) (session, error) {
	config := libp2p.DefaultConfig()
	if s.window != 0 {
		config.MaxStreamWindowSize = uint32(s.window)
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

func (s libp2pStream) Finish() error { return s.CloseWrite() }
