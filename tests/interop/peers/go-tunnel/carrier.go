// SPDX-License-Identifier: Apache-2.0
package main

import (
	"io"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/hashicorp/yamux"
)

// carrier is the bytes of binary messages, for yamux.
type carrier struct {
	*websocket.Conn
	first   []byte
	current io.Reader
	writing sync.Mutex
}

func (c *carrier) Read(into []byte) (int, error) {
	if len(c.first) != 0 {
		size := copy(into, c.first)
		c.first = c.first[size:]
		return size, nil
	}
	for {
		if c.current == nil {
			_, message, err := c.NextReader()
			if err != nil {
				return 0, err
			}
			c.current = message
		}
		size, err := c.current.Read(into)
		if err == io.EOF {
			c.current = nil
			err = nil
		}
		if size != 0 || err != nil {
			return size, err
		}
	}
}

func (c *carrier) Write(from []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.WriteMessage(websocket.BinaryMessage, from); err != nil {
		return 0, err
	}
	return len(from), nil
}

func settings() *yamux.Config {
	out := yamux.DefaultConfig()
	out.EnableKeepAlive = true
	out.KeepAliveInterval = 30 * time.Second
	out.LogOutput = io.Discard
	return out
}

// join ends both as soon as one direction has: there is no half-close here.
func join(one, other io.ReadWriteCloser) {
	var once sync.WaitGroup
	once.Add(1)
	var done sync.Once
	carry := func(to io.Writer, from io.Reader) {
		_, _ = io.Copy(to, from)
		done.Do(once.Done)
	}
	go carry(one, other)
	go carry(other, one)
	once.Wait()
	one.Close()
	other.Close()
}
