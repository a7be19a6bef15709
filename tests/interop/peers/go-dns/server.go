// SPDX-License-Identifier: Apache-2.0
package main

import (
	"crypto/tls"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/miekg/dns"
	"github.com/quic-go/quic-go/http3"
)

const mediaType = "application/dns-message"

// zone answers from a file in the form of zone files, following CNAMEs in it.
type zone struct {
	records []dns.RR
	soa     dns.RR
}

func readZone(path string) zone {
	file, err := os.Open(path)
	if err != nil {
		fail(err.Error())
	}
	var out zone
	parser := dns.NewZoneParser(file, ".", path)
	for record, ok := parser.Next(); ok; record, ok = parser.Next() {
		out.records = append(out.records, record)
		if record.Header().Rrtype == dns.TypeSOA {
			out.soa = record
		}
	}
	if err := parser.Err(); err != nil {
		fail(err.Error())
	}
	return out
}

func (z zone) answer(query *dns.Msg) *dns.Msg {
	out := new(dns.Msg)
	out.SetReply(query)
	out.RecursionAvailable = true
	out.Compress = true
	if edns := query.IsEdns0(); edns != nil {
		out.SetEdns0(1232, false)
	}
	question := query.Question[0]
	at := question.Name
	known := false
	for step := 0; step < 8; step++ {
		var alias *dns.CNAME
		found := false
		for _, record := range z.records {
			if dns.CanonicalName(record.Header().Name) != dns.CanonicalName(at) {
				continue
			}
			known = true
			if record.Header().Rrtype == question.Qtype {
				out.Answer = append(out.Answer, record)
				found = true
			} else if record.Header().Rrtype == dns.TypeCNAME {
				alias = record.(*dns.CNAME)
			}
		}
		if found || alias == nil {
			break
		}
		out.Answer = append(out.Answer, alias)
		at = alias.Target
	}
	if !known {
		out.Rcode = dns.RcodeNameError
	}
	if len(out.Answer) == 0 && z.soa != nil {
		out.Ns = append(out.Ns, z.soa)
	}
	return out
}

func (z zone) ServeDNS(writer dns.ResponseWriter, query *dns.Msg) {
	out := z.answer(query)
	if _, datagram := writer.RemoteAddr().(*net.UDPAddr); datagram {
		size := dns.MinMsgSize
		if edns := query.IsEdns0(); edns != nil {
			size = int(edns.UDPSize())
		}
		out.Truncate(size)
	}
	writer.WriteMsg(out)
}

func (z zone) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	var octets []byte
	var err error
	if request.Method == http.MethodGet {
		octets, err = base64.RawURLEncoding.DecodeString(request.URL.Query().Get("dns"))
	} else if request.Header.Get("Content-Type") != mediaType {
		http.Error(writer, "not a DNS message", http.StatusUnsupportedMediaType)
		return
	} else {
		octets, err = io.ReadAll(io.LimitReader(request.Body, dns.MaxMsgSize))
	}
	query := new(dns.Msg)
	if err == nil {
		err = query.Unpack(octets)
	}
	if err != nil || len(query.Question) != 1 || query.Id != 0 || len(octets)%128 != 0 {
		http.Error(writer, "not a padded query with the ID zero", http.StatusBadRequest)
		return
	}
	packed, err := z.answer(query).Pack()
	if err != nil {
		http.Error(writer, err.Error(), http.StatusInternalServerError)
		return
	}
	writer.Header().Set("Content-Type", mediaType)
	writer.Header().Set("Age", "1")
	writer.Write(packed)
}

func serve(arguments []string) {
	flags := flag.NewFlagSet("server", flag.ExitOnError)
	path := flags.String("zone", "", "zone file")
	cert := flags.String("cert", "", "certificate chain")
	key := flags.String("key", "", "its key")
	flags.Parse(arguments)
	from := readZone(*path)
	pair, err := tls.LoadX509KeyPair(*cert, *key)
	if err != nil {
		fail(err.Error())
	}
	var datagrams net.PacketConn
	var streams net.Listener
	for attempt := 0; attempt < 20 && streams == nil; attempt++ {
		if datagrams, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			fail(err.Error())
		}
		streams, _ = net.Listen("tcp", datagrams.LocalAddr().String())
	}
	go (&dns.Server{PacketConn: datagrams, Handler: from}).ActivateAndServe()
	go (&dns.Server{Listener: streams, Handler: from}).ActivateAndServe()

	secure, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err.Error())
	}
	mux := http.NewServeMux()
	mux.Handle("/dns-query", from)
	only1 := &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}}
	go (&http.Server{Handler: mux}).Serve(tls.NewListener(secure, only1))
	quic, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		fail(err.Error())
	}
	only3 := http3.ConfigureTLSConfig(&tls.Config{Certificates: []tls.Certificate{pair}})
	go (&http3.Server{Handler: mux, TLSConfig: only3}).Serve(quic)

	fmt.Printf("doh on %s\nh3 on %s\nlistening on %s\n", secure.Addr(), quic.LocalAddr(), datagrams.LocalAddr())
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
}

func version() string {
	told, _ := debug.ReadBuildInfo()
	for _, each := range told.Deps {
		if each.Path == "github.com/miekg/dns" {
			return each.Version
		}
	}
	return "of unknown version"
}
