// SPDX-License-Identifier: Apache-2.0
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/hashicorp/yamux"
)

type client struct {
	options
	dialer  websocket.Dialer
	guard   sync.Mutex
	session *yamux.Session
}

// clientSecurity is strict: with a list there is no connection without Encrypted Client Hello, as crypto/tls has it.
func clientSecurity(given options) (*tls.Config, error) {
	made := &tls.Config{}
	if given.roots != "" {
		text, err := os.ReadFile(given.roots)
		if err != nil {
			return nil, err
		}
		made.RootCAs = x509.NewCertPool()
		made.RootCAs.AppendCertsFromPEM(text)
	}
	if given.ech != "" {
		configs, err := base64.StdEncoding.DecodeString(given.ech)
		if err != nil {
			return nil, err
		}
		made.MinVersion = tls.VersionTLS13
		made.EncryptedClientHelloConfigList = configs
	}
	return made, nil
}

func lead(listener net.Listener, given options) error {
	by := &client{options: given}
	by.dialer = websocket.Dialer{
		Subprotocols:     []string{given.uuid},
		HandshakeTimeout: 10 * time.Second,
		ReadBufferSize:   32 * 1024,
		WriteBufferSize:  32 * 1024,
	}
	if given.address != "" {
		by.dialer.NetDial = func(network, _ string) (net.Conn, error) { return net.Dial(network, given.address) }
	}
	var err error
	if by.dialer.TLSClientConfig, err = clientSecurity(given); err != nil {
		return err
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go by.serve(conn)
	}
}

func (c *client) serve(conn net.Conn) {
	defer conn.Close()
	where := c.connect
	if where == "" {
		var err error
		if where, err = takeRequest(conn); err != nil {
			return
		}
	}
	if c.mode == "simple" {
		c.serveSimple(conn, where)
		return
	}
	stream, err := c.open()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	if _, err := stream.Write([]byte(where + "\n")); err == nil {
		join(conn, stream)
	}
}

// open uses the one session there is, or makes it.
func (c *client) open() (net.Conn, error) {
	c.guard.Lock()
	defer c.guard.Unlock()
	if c.session != nil && !c.session.IsClosed() {
		if stream, err := c.session.Open(); err == nil {
			return stream, nil
		}
	}
	conn, _, err := c.dialer.Dial(c.url, nil)
	if err != nil {
		return nil, err
	}
	if c.session, err = yamux.Client(&carrier{Conn: conn}, settings()); err != nil {
		return nil, err
	}
	return c.session.Open()
}

func (c *client) serveSimple(conn net.Conn, where string) {
	tunnel, _, err := c.dialer.Dial(c.url, nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer tunnel.Close()
	if tunnel.WriteMessage(websocket.TextMessage, []byte("CONNECT:"+where+"|")) != nil {
		return
	}
	_, answer, err := tunnel.ReadMessage()
	if err != nil || string(answer) != "CONNECTED" {
		fmt.Fprintln(os.Stderr, strings.TrimPrefix(string(answer), "ERROR:"))
		return
	}
	over := make(chan struct{}, 2)
	go func() {
		memory := make([]byte, 32*1024)
		for {
			size, err := conn.Read(memory)
			if size != 0 && tunnel.WriteMessage(websocket.BinaryMessage, memory[:size]) != nil {
				break
			}
			if err != nil {
				_ = tunnel.WriteMessage(websocket.TextMessage, []byte("CLOSE"))
				break
			}
		}
		over <- struct{}{}
	}()
	go func() {
		for {
			kind, message, err := tunnel.ReadMessage()
			if err != nil || (kind == websocket.TextMessage && string(message) == "CLOSE") {
				break
			}
			if _, err := conn.Write(message); err != nil {
				break
			}
		}
		over <- struct{}{}
	}()
	<-over
}

// takeRequest reads a SOCKS5 CONNECT without authentication. It is granted at once: the tunnel has no answer of its own.
func takeRequest(from net.Conn) (string, error) {
	memory := make([]byte, 260)
	if _, err := io.ReadFull(from, memory[:2]); err != nil {
		return "", err
	}
	if _, err := io.ReadFull(from, memory[2:2+memory[1]]); err != nil {
		return "", err
	}
	if _, err := from.Write([]byte{5, 0}); err != nil {
		return "", err
	}
	if _, err := io.ReadFull(from, memory[:4]); err != nil {
		return "", err
	}
	if memory[0] != 5 || memory[1] != 1 {
		return "", errors.New("not a CONNECT")
	}
	size := map[byte]int{1: 4, 4: 16}[memory[3]]
	isName := memory[3] == 3
	if isName {
		if _, err := io.ReadFull(from, memory[:1]); err != nil {
			return "", err
		}
		size = int(memory[0])
	}
	if _, err := io.ReadFull(from, memory[:size+2]); err != nil {
		return "", err
	}
	host := net.IP(memory[:size]).String()
	if isName {
		host = string(memory[:size])
	}
	port := binary.BigEndian.Uint16(memory[size : size+2])
	_, err := from.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	return net.JoinHostPort(host, strconv.Itoa(int(port))), err
}
