// SPDX-License-Identifier: Apache-2.0
package main

import (
	"crypto/ecdh"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"github.com/hashicorp/yamux"
)

const page = "<html><head><title>Welcome to nginx!</title></head><body><h1>Welcome to nginx!</h1></body></html>\n"

func serve(listener net.Listener, given options) error {
	upgrader := websocket.Upgrader{
		ReadBufferSize:  32 * 1024,
		WriteBufferSize: 32 * 1024,
		CheckOrigin:     func(*http.Request) bool { return true },
		Subprotocols:    []string{given.uuid},
	}
	handler := http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		if request.URL.Path == "/health" || request.URL.Path == "/healthz" {
			_, _ = answer.Write([]byte("OK"))
			return
		}
		known := request.Header.Get("Sec-WebSocket-Protocol") == given.uuid || strings.Contains(request.URL.Path, given.uuid)
		if !known || !websocket.IsWebSocketUpgrade(request) {
			answer.Header().Set("Server", "nginx/1.18.0")
			answer.Header().Set("Content-Type", "text/html")
			_, _ = answer.Write([]byte(page))
			return
		}
		if conn, err := upgrader.Upgrade(answer, request, nil); err == nil {
			serveTunnel(conn)
		}
	})
	if given.certificate == "" {
		return http.Serve(listener, handler)
	}
	security := &tls.Config{}
	for _, path := range given.echKeys {
		key, err := echKey(path)
		if err != nil {
			return err
		}
		security.EncryptedClientHelloKeys = append(security.EncryptedClientHelloKeys, key)
	}
	server := &http.Server{Handler: handler, TLSConfig: security}
	return server.ServeTLS(listener, given.certificate, given.key)
}

// echKey reads a private key and an ECHConfigList of one configuration.
func echKey(path string) (tls.EncryptedClientHelloKey, error) {
	made := tls.EncryptedClientHelloKey{SendAsRetry: true}
	text, err := os.ReadFile(path)
	for block, rest := pem.Decode(text); block != nil && err == nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "PRIVATE KEY":
			var key any
			if key, err = x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
				made.PrivateKey = key.(*ecdh.PrivateKey).Bytes()
			}
		case "ECHCONFIG":
			made.Config = block.Bytes[2:]
		}
	}
	return made, err
}

func serveTunnel(conn *websocket.Conn) {
	defer conn.Close()
	kind, first, err := conn.ReadMessage()
	if err != nil || len(first) == 0 {
		return
	}
	if first[0] == 0 {
		serveYamux(&carrier{Conn: conn, first: first})
	} else if kind == websocket.TextMessage && strings.HasPrefix(string(first), "CONNECT:") {
		serveSimple(conn, string(first[len("CONNECT:"):]))
	}
}

func serveYamux(on *carrier) {
	session, err := yamux.Server(on, settings())
	if err != nil {
		return
	}
	defer session.Close()
	for {
		stream, err := session.Accept()
		if err != nil {
			return
		}
		go serveStream(stream)
	}
}

// serveStream takes the target out of a single read, with or without a newline.
func serveStream(stream net.Conn) {
	defer stream.Close()
	memory := make([]byte, 512)
	size, err := stream.Read(memory)
	if err != nil {
		return
	}
	where, rest, _ := strings.Cut(string(memory[:size]), "\n")
	target, err := net.DialTimeout("tcp", where, 10*time.Second)
	if err != nil {
		return
	}
	defer target.Close()
	if _, err := target.Write([]byte(rest)); err == nil {
		join(stream, target)
	}
}

func serveSimple(conn *websocket.Conn, request string) {
	where, initial, _ := strings.Cut(request, "|")
	target, err := net.DialTimeout("tcp", where, 10*time.Second)
	if err != nil {
		_ = conn.WriteMessage(websocket.TextMessage, []byte("ERROR:"+err.Error()))
		return
	}
	defer target.Close()
	if _, err := target.Write([]byte(initial)); err != nil {
		return
	}
	if conn.WriteMessage(websocket.TextMessage, []byte("CONNECTED")) != nil {
		return
	}
	over := make(chan struct{}, 2)
	go func() { // the only one that writes from here on
		memory := make([]byte, 32*1024)
		for {
			size, err := target.Read(memory)
			if size != 0 && conn.WriteMessage(websocket.BinaryMessage, memory[:size]) != nil {
				break
			}
			if err != nil {
				_ = conn.WriteMessage(websocket.TextMessage, []byte("CLOSE"))
				break
			}
		}
		over <- struct{}{}
	}()
	go func() {
		for {
			kind, message, err := conn.ReadMessage()
			if err != nil || (kind == websocket.TextMessage && string(message) == "CLOSE") {
				break
			}
			if _, err := target.Write(message); err != nil {
				break
			}
		}
		over <- struct{}{}
	}()
	<-over
}
