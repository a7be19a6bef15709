// SPDX-License-Identifier: Apache-2.0
// The tunnel over WebSocket as the Go proxies of the ech-workers family have it, both ends of it:
//
//	go-tunnel server --listen ADDRESS --uuid UUID [--certificate FILE --key FILE [--ech-key FILE]...]
//	go-tunnel client --listen ADDRESS --uuid UUID --url ws://HOST:PORT/PATH [--mode yamux|simple] [--connect HOST:PORT]
//	                 [--roots FILE] [--ech LIST] [--address HOST:PORT]
//	go-tunnel version
//
// A client leads every connection to --connect, or takes SOCKS5 without it. It dials --address in place of the host in --url.
// Both say "listening on ADDRESS" on standard output.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

type options struct {
	listen, uuid, certificate, key, url, roots, mode, connect, ech, address string
	echKeys                                                                 list
}

type list []string

func (l *list) String() string         { return strings.Join(*l, ",") }
func (l *list) Set(value string) error { *l = append(*l, value); return nil }

func main() {
	if len(os.Args) == 2 && os.Args[1] == "version" {
		fmt.Println(version())
		return
	}
	if len(os.Args) < 2 || (os.Args[1] != "server" && os.Args[1] != "client") {
		fail(fmt.Errorf("server or client"))
	}
	var given options
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	flags.StringVar(&given.listen, "listen", "127.0.0.1:0", "where to listen")
	flags.StringVar(&given.uuid, "uuid", "", "the secret")
	flags.StringVar(&given.certificate, "certificate", "", "of a server with TLS")
	flags.StringVar(&given.key, "key", "", "of a server with TLS")
	flags.StringVar(&given.url, "url", "", "of the server")
	flags.StringVar(&given.roots, "roots", "", "whom a client believes")
	flags.StringVar(&given.mode, "mode", "yamux", "yamux or simple")
	flags.StringVar(&given.connect, "connect", "", "where all connections go")
	flags.StringVar(&given.ech, "ech", "", "ECHConfigList of a server with TLS, in base64")
	flags.StringVar(&given.address, "address", "", "of the server, whatever its URL says")
	flags.Var(&given.echKeys, "ech-key", "of a server with TLS, as RFC 9934 has it")
	if err := flags.Parse(os.Args[2:]); err != nil {
		fail(err)
	}
	listener, err := net.Listen("tcp", given.listen)
	if err != nil {
		fail(err)
	}
	fmt.Println("listening on", listener.Addr())
	if os.Args[1] == "server" {
		err = serve(listener, given)
	} else {
		err = lead(listener, given)
	}
	fail(err)
}

func version() string {
	told := runtime.Version()
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, each := range info.Deps {
			told += ", " + each.Path[strings.LastIndex(each.Path, "/")+1:] + " " + each.Version
		}
	}
	return told
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
