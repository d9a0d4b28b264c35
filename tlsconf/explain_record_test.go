package tlsconf

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// serverHello is a TLS 1.2 shaped ServerHello with the version, cipher suite and extensions given.
func serverHello(version, suite uint16, extensions string) string {
	be := func(v int) string { return string([]byte{byte(v >> 8), byte(v)}) }
	body := be(int(version)) + strings.Repeat("r", 32) + "\x00" + be(int(suite)) + "\x00"
	if extensions != "" {
		body += be(len(extensions)) + extensions
	}
	return "\x16" + be(int(version)) + be(len(body)+4) + "\x02\x00" + be(len(body)) + body
}

func TestExplainNotTLS(t *testing.T) {
	const alpnH2 = "\x00\x10\x00\x05\x00\x03\x02h2"
	closing := []string{"if the port is plain MQTT, " + hintTLSPort, hintNoTLS,
		"if the server wants a client certificate, pass one: --cert FILE --key FILE"}
	tests := []struct {
		name  string
		serve func(net.Conn)
		want  explained
	}{
		{"HTTP", rawReply("HTTP/1.1 400 Bad Request\r\n\r\n"), explained{"the server speaks HTTP without TLS on this port",
			[]string{hintTLSPort, "or, for MQTT over WebSocket without TLS, use ws:// in place of wss://"}, true}},
		{"SSH", rawReply("SSH-2.0-OpenSSH_9.2\r\n"), explained{"the server speaks SSH on this port, not TLS", []string{hintTLSPort}, true}},
		{"plain CONNACK", rawReply("\x20\x03\x00\x84\x00"), explained{"the server speaks MQTT without TLS on this port",
			[]string{hintTLSPort, hintNoTLS}, true}},
		{"plain DISCONNECT", rawReply("\xe0\x03\x81\x00\x00"), explained{"the server speaks MQTT without TLS on this port",
			[]string{hintTLSPort, hintNoTLS}, true}},
		{"something else", rawReply("220 mail.example.com\r\n"), explained{"the server speaks no TLS on this port",
			[]string{hintTLSPort, hintNoTLS}, true}},
		{"oversized record", rawReply("\x16\x03\x03\xff\xff"), explained{"the server sent a damaged TLS record: oversized record received with length 65535",
			[]string{hintTLSPort}, true}},
		{"unexpected message", rawReply("\x16\x03\x03\x00\x04\x14\x00\x00\x00"),
			explained{"the TLS handshake failed: received unexpected handshake message of type *tls.finishedMsg when waiting for *tls.serverHelloMsg", nil, true}},
		{"broken protocol", rawReply("\x15\x03\x03\x00\x01\x00"), explained{"the server broke the TLS protocol (unexpected message)",
			[]string{hintTLSPort}, true}},
		{"closed", rawReply(""), explained{"the server closed the connection during the TLS handshake", closing, true}},
		{"closed within a record", rawReply("\x16\x03\x03\x00\x50\x02"), explained{"the server closed the connection during the TLS handshake", closing, true}},
		{"reset", func(c net.Conn) { readRecord(c); c.(*net.TCPConn).SetLinger(0) },
			explained{"the server reset the connection during the TLS handshake", closing, true}},
		{"TLS 1.1 by ServerHello", rawReply(serverHello(tls.VersionTLS11, 0xc009, "")),
			explained{"the server speaks only TLS 1.1 or older", []string{"use it: --tls-version tlsv1.1"}, true}},
		{"TLS 1.0 by ServerHello", rawReply(serverHello(tls.VersionTLS10, 0xc009, "")),
			explained{"the server speaks only TLS 1.0 or older, which is not supported", []string{"upgrade the server's TLS library"}, true}},
		{"cipher not offered", rawReply(serverHello(tls.VersionTLS12, 0x0005, "")),
			explained{"the server chose a cipher suite that was not offered", []string{"drop --ciphers"}, true}},
		{"ALPN not offered", rawReply(serverHello(tls.VersionTLS12, 0xc02b, alpnH2)),
			explained{"the server chose an ALPN protocol that was not offered", []string{"offer the one it wants, such as --tls-alpn mqtt"}, true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := Options{CAFile: zf("ca.pem"), ALPN: []string{"mqtt"}}
			err := shake(t, listen(t, tt.serve), config(t, o, "localhost"))
			var got explained
			got.Reason, got.Hints, got.OK = Explain(err, "localhost")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%v\n%s", err, diff)
			}
			if IsAlert(err) {
				t.Errorf("IsAlert(%v) = true", err)
			}
		})
	}
}

func TestExplainClosedWithClientCertificate(t *testing.T) {
	o := Options{CAFile: zf("ca.pem"), CertFile: zf("client.pem"), KeyFile: zf("client.key")}
	err := shake(t, listen(t, rawReply("")), config(t, o, "localhost"))
	var got explained
	got.Reason, got.Hints, got.OK = o.Explain(err, "localhost")
	want := explained{"the server closed the connection during the TLS handshake",
		[]string{"if the port is plain MQTT, " + hintTLSPort, hintNoTLS}, true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestExplainSilence(t *testing.T) {
	addr := listen(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	raw.SetReadDeadline(time.Now())
	var got explained
	got.Reason, got.Hints, got.OK = Explain(tls.Client(raw, config(t, Options{}, "localhost")).Handshake(), "localhost")
	want := explained{"the server did not answer the TLS handshake in time", []string{hintTLSPort, hintNoTLS}, true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestExplainLeavesOthersAlone(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	_, refused := net.Dial("tcp", addr)
	for name, err := range map[string]error{
		"none": nil, "cancelled": context.Canceled, "refused": refused, "unknown": errors.New("out of cheese"),
	} {
		t.Run(name, func(t *testing.T) {
			if reason, hints, ok := Explain(err, "localhost"); ok || reason != "" || hints != nil {
				t.Errorf("got %q, %q, %v", reason, hints, ok)
			}
			if IsAlert(err) {
				t.Error("taken for an alert")
			}
		})
	}
}
