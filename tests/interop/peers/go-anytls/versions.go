// SPDX-License-Identifier: Apache-2.0
package main

import (
	"bytes"
	"net"
)

// firstVersion makes a session one of version 1: the module always asks for 2, and answers as 1 whom it takes for 1. The line of
// the settings is rewritten on its way out of a client, or into a server. It is never cut: the module writes and reads it whole.
type firstVersion struct {
	net.Conn
	outward bool
	done    bool
	seen    int
}

// settingsAreIn is more than what comes before the settings and they themselves.
const settingsAreIn = 1 << 12

func (c *firstVersion) rewrite(piece []byte) []byte {
	before, after, found := bytes.Cut(piece, []byte("v=2"))
	if bytes.Contains(piece, []byte("v=1")) {
		c.done = true
	}
	if c.seen += len(piece); !c.done && !found && c.seen > settingsAreIn {
		fail(1, "the version of a session was not found")
	}
	if c.done || !found {
		return piece
	}
	c.done = true
	return bytes.Join([][]byte{before, after}, []byte("v=1"))
}

func (c *firstVersion) Write(piece []byte) (int, error) {
	if c.outward {
		piece = c.rewrite(piece)
	}
	return c.Conn.Write(piece)
}

func (c *firstVersion) Read(into []byte) (int, error) {
	n, err := c.Conn.Read(into)
	if !c.outward {
		copy(into, c.rewrite(into[:n]))
	}
	return n, err
}

func atVersion(version int, conn net.Conn, outward bool) net.Conn {
	if version == 1 {
		return &firstVersion{Conn: conn, outward: outward}
	}
	return conn
}
