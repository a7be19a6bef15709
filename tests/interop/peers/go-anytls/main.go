// SPDX-License-Identifier: Apache-2.0
// sing-anytls with a SOCKS5 entry, as a client and as a server: README.md has what it takes and prints.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

type options struct {
	listen, server, password, name, authority, certificate, key, padding string
	version, datagrams                                                   int
	connected, fallback                                                  bool
}

func fail(code int, format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(code)
}

func versionOf(module string) string {
	if built, ok := debug.ReadBuildInfo(); ok {
		for _, each := range built.Deps {
			if each.Path == module {
				return each.Version
			}
		}
	}
	return "?"
}

func listen(address string) net.Listener {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		fail(1, "%v", err)
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	return listener
}

func main() {
	if len(os.Args) < 2 {
		fail(2, "usage: version|server|client [OPTION]...")
	}
	var chosen options
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	flags.StringVar(&chosen.listen, "listen", "127.0.0.1:0", "ADDR:PORT")
	flags.StringVar(&chosen.server, "server", "", "ADDR:PORT")
	flags.StringVar(&chosen.password, "password", "", "of client and server")
	flags.StringVar(&chosen.name, "sni", "", "the server's name")
	flags.StringVar(&chosen.authority, "ca", "", "FILE")
	flags.StringVar(&chosen.certificate, "cert", "", "FILE")
	flags.StringVar(&chosen.key, "key", "", "FILE")
	flags.StringVar(&chosen.padding, "padding", "", "FILE")
	flags.IntVar(&chosen.version, "version", 2, "of anytls, 1 or 2")
	flags.IntVar(&chosen.datagrams, "uot", 2, "version of udp-over-tcp, 1 or 2")
	flags.BoolVar(&chosen.connected, "uot-connect", false, "a stream for each target of datagrams")
	flags.BoolVar(&chosen.fallback, "fallback", false, "answer who does not speak anytls in HTTP")
	_ = flags.Parse(os.Args[2:])
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	go func() { <-asked; os.Exit(0) }()
	switch os.Args[1] {
	case "version":
		fmt.Printf("sing-anytls %s, sing %s\n", versionOf("github.com/anytls/sing-anytls"), versionOf("github.com/sagernet/sing"))
	case "server":
		runServer(chosen)
	case "client":
		runClient(chosen)
	default:
		fail(2, "server or client?")
	}
}
