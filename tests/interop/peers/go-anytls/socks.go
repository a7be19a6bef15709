// SPDX-License-Identifier: Apache-2.0
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/sagernet/sing/common/buf"
	"github.com/sagernet/sing/common/bufio"
	M "github.com/sagernet/sing/common/metadata"
)

const (
	associate      = 3
	succeeded      = 0
	generalFailure = 1
	largest        = 65535
)

// readRequest speaks SOCKS5 (RFC 1928) without authentication.
func readRequest(conn net.Conn) (byte, M.Socksaddr, error) {
	greeting := make([]byte, 2)
	if _, err := io.ReadFull(conn, greeting); err != nil {
		return 0, M.Socksaddr{}, err
	}
	if _, err := io.CopyN(io.Discard, conn, int64(greeting[1])); err != nil {
		return 0, M.Socksaddr{}, err
	}
	if _, err := conn.Write([]byte{5, 0}); err != nil {
		return 0, M.Socksaddr{}, err
	}
	request := make([]byte, 3)
	if _, err := io.ReadFull(conn, request); err != nil {
		return 0, M.Socksaddr{}, err
	}
	target, err := M.SocksaddrSerializer.ReadAddrPort(conn)
	if err == nil && (request[0] != 5 || (request[1] != 1 && request[1] != associate)) {
		err = errors.New("not a request of SOCKS5 that is known here")
	}
	return request[1], target, err
}

func writeReply(conn net.Conn, code byte, bound net.Addr) error {
	reply := bytes.NewBuffer([]byte{5, code, 0})
	address := M.ParseSocksaddrHostPort("0.0.0.0", 0)
	if bound != nil {
		address = M.SocksaddrFromNet(bound)
	}
	if err := M.SocksaddrSerializer.WriteAddrPort(reply, address); err != nil {
		return err
	}
	_, err := conn.Write(reply.Bytes())
	return err
}

// serveDatagrams answers a UDP ASSOCIATE, until its connection ends.
func (c *client) serveDatagrams(conn net.Conn) error {
	local, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	defer local.Close()
	if err := writeReply(conn, succeeded, local.LocalAddr()); err != nil {
		return err
	}
	far := &farSide{client: c, local: local, opened: map[M.Socksaddr]net.PacketConn{}}
	go far.pump()
	_, err = io.Copy(io.Discard, conn)
	return err
}

// farSide holds one stream for all targets, or one for each of them when it connects.
type farSide struct {
	client *client
	local  *net.UDPConn
	owner  *net.UDPAddr
	opened map[M.Socksaddr]net.PacketConn
}

func (f *farSide) pump() {
	defer func() {
		for _, each := range f.opened {
			each.Close()
		}
	}()
	datagram := make([]byte, largest)
	for {
		n, from, err := f.local.ReadFromUDP(datagram)
		if err != nil {
			return
		}
		f.owner = from
		if err := f.send(datagram[:n]); err != nil {
			fmt.Fprintf(os.Stderr, "a datagram was not sent: %v\n", err)
		}
	}
}

func (f *farSide) send(datagram []byte) error {
	if len(datagram) < 3 || datagram[2] != 0 {
		return errors.New("a fragment")
	}
	rest := bytes.NewReader(datagram[3:])
	target, err := M.SocksaddrSerializer.ReadAddrPort(rest)
	if err != nil {
		return err
	}
	payload := datagram[len(datagram)-rest.Len():]
	packets, err := f.packetsTo(target)
	if err != nil {
		return err
	}
	_, err = packets.WriteTo(payload, target)
	return err
}

func (f *farSide) packetsTo(target M.Socksaddr) (net.PacketConn, error) {
	key := M.Socksaddr{}
	if f.client.connected {
		key = target
	}
	if known, ok := f.opened[key]; ok {
		return known, nil
	}
	made, err := f.open(target)
	if err != nil {
		return nil, err
	}
	f.opened[key] = made
	go f.pumpBack(made, f.owner)
	return made, nil
}

func (f *farSide) open(target M.Socksaddr) (net.PacketConn, error) {
	if !f.client.connected {
		return f.client.datagramClient().ListenPacket(context.Background(), target)
	}
	made, err := f.client.datagramClient().DialContext(context.Background(), "udp", target)
	if err != nil {
		return nil, err
	}
	return made.(net.PacketConn), nil
}

func (f *farSide) pumpBack(packets net.PacketConn, owner *net.UDPAddr) {
	source := bufio.NewPacketConn(packets)
	payload := buf.NewSize(largest)
	defer payload.Release()
	for {
		payload.Reset()
		from, err := source.ReadPacket(payload)
		if err != nil {
			return
		}
		datagram := bytes.NewBuffer([]byte{0, 0, 0})
		if err := M.SocksaddrSerializer.WriteAddrPort(datagram, from); err != nil {
			return
		}
		datagram.Write(payload.Bytes())
		if _, err := f.local.WriteToUDP(datagram.Bytes(), owner); err != nil {
			fmt.Fprintf(os.Stderr, "an answer was not given back: %v\n", err)
		}
	}
}
