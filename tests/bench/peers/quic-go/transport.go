// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/quic-go/quic-go"
)

const maxStreams = 1000

func quicConfig(s *settings) *quic.Config {
	return &quic.Config{
		MaxIdleTimeout:                 time.Minute,
		InitialPacketSize:              uint16(s.datagram),
		DisablePathMTUDiscovery:        true,
		InitialStreamReceiveWindow:     s.window,
		MaxStreamReceiveWindow:         s.window,
		InitialConnectionReceiveWindow: s.window / 2 * 3,
		MaxConnectionReceiveWindow:     s.window / 2 * 3,
		MaxIncomingStreams:             maxStreams,
	}
}

// tlsConfig: crypto/tls takes AES-128-GCM first where the processor has AES, and no option changes that.
func tlsConfig(s *settings, alpn string) *tls.Config {
	groups := map[string]tls.CurveID{"X25519": tls.X25519, "X25519MLKEM768": tls.X25519MLKEM768}
	group, known := groups[s.group]
	if !known {
		fail("-group: unknown: %s", s.group)
	}
	return &tls.Config{
		CurvePreferences: []tls.CurveID{group}, NextProtos: []string{alpn}, MinVersion: tls.VersionTLS13,
		SessionTicketsDisabled: true,
	}
}

func serverTLS(s *settings, alpn string) *tls.Config {
	certificate, err := tls.LoadX509KeyPair(s.cert, s.key)
	check(err)
	config := tlsConfig(s, alpn)
	config.Certificates = []tls.Certificate{certificate}
	return config
}

// clientTLS believes every certificate, as the other programs do here; the signature of the handshake is checked by all.
func clientTLS(s *settings, alpn string) *tls.Config {
	config := tlsConfig(s, alpn)
	config.ServerName = "localhost"
	config.InsecureSkipVerify = true
	return config
}

func openTransport(s *settings) *quic.Transport {
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	check(err)
	check(socket.SetReadBuffer(s.socketBuffer))
	check(socket.SetWriteBuffer(s.socketBuffer))
	return &quic.Transport{Conn: socket}
}

type dialer struct {
	transport *quic.Transport
	remote    *net.UDPAddr
	tls       *tls.Config
	config    *quic.Config
}

func newDialer(s *settings, alpn string) *dialer {
	remote, err := net.ResolveUDPAddr("udp4", s.connect)
	check(err)
	return &dialer{openTransport(s), remote, clientTLS(s, alpn), quicConfig(s)}
}

func (d *dialer) dial() *quic.Conn {
	conn, err := d.transport.Dial(context.Background(), d.remote, d.tls, d.config)
	check(err)
	return conn
}
