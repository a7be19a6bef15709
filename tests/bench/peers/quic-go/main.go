// SPDX-License-Identifier: Apache-2.0

// Command quic-go is what tests/bench measures quic-go and its http3 with. What every program takes and prints stands in
// tests/bench/README.md.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"time"
)

const usage = "usage: quic-go server|server-h3|bulk|handshake|pingpong|hold|requests|body|version [FLAGS]"

type settings struct {
	cert         string
	key          string
	connect      string
	group        string
	datagram     int
	window       uint64
	socketBuffer int
	bytes        uint64
	count        int
	parallel     int
	connections  int
	time         time.Duration
}

func parse(mode string, arguments []string) *settings {
	s := &settings{}
	var seconds float64
	flags := flag.NewFlagSet(mode, flag.ExitOnError)
	flags.StringVar(&s.cert, "cert", "", "certificate chain")
	flags.StringVar(&s.key, "key", "", "private key")
	flags.StringVar(&s.connect, "connect", "", "ADDR:PORT")
	flags.StringVar(&s.group, "group", "X25519", "X25519 or X25519MLKEM768")
	flags.IntVar(&s.datagram, "datagram", 1452, "UDP payload")
	flags.Uint64Var(&s.window, "window", 16<<20, "bytes of flow control per stream; half as much again per connection")
	flags.IntVar(&s.socketBuffer, "socket-buffer", 4<<20, "bytes")
	flags.Uint64Var(&s.bytes, "bytes", 1<<20, "bytes to fetch")
	flags.IntVar(&s.count, "count", 1000, "how many")
	flags.IntVar(&s.parallel, "parallel", 1, "how many at a time")
	flags.IntVar(&s.connections, "connections", 1, "connections")
	flags.Float64Var(&seconds, "seconds", 1, "how long")
	_ = flags.Parse(arguments)
	s.time = time.Duration(seconds * float64(time.Second))
	return s
}

func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(1)
}

func check(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func libraryVersion() string {
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, module := range build.Deps {
			if module.Path == "github.com/quic-go/quic-go" {
				return module.Version
			}
		}
	}
	return "(unknown)"
}

func main() {
	modes := map[string]func(*settings){
		"server": serve, "server-h3": serveH3, "bulk": bulk, "handshake": handshake, "pingpong": pingpong, "hold": hold,
		"requests": requests, "body": body,
		"version": func(*settings) { fmt.Println("quic-go " + libraryVersion()) },
	}
	if len(os.Args) < 2 || modes[os.Args[1]] == nil {
		fail(usage)
	}
	modes[os.Args[1]](parse(os.Args[1], os.Args[2:]))
}
