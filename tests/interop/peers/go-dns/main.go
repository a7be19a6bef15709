// SPDX-License-Identifier: Apache-2.0

// A name server and a client on miekg/dns, net/http and quic-go: see README.md of this folder's parent.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 2 {
		fail("server, client or version")
	}
	switch os.Args[1] {
	case "version":
		fmt.Println("miekg/dns " + version())
	case "server":
		serve(os.Args[2:])
	case "client":
		ask(os.Args[2:])
	default:
		fail("server, client or version")
	}
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}
