package connect

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mq/packet"
)

func TestNotMQTT(t *testing.T) {
	t.Parallel()
	const (
		ports = "check --host and --port; MQTT is usually on 1883, with TLS on 8883"
		says  = "the server does not speak MQTT, it answered "
		rules = "the server does not keep to MQTT: "
	)
	inTLS := failure{StageConnack, "the server answered in TLS, not in plain MQTT", "turn TLS on: --tls-use-os-certs, --cafile FILE, or --url mqtts://HOST:PORT", true}
	closed := failure{StageConnack, "the server closed the connection without a CONNACK", "it may not speak MQTT 3.1.1, or not like the client identifier or the user\na port for TLS needs mqtts://, --cafile or --tls-use-os-certs", false}
	for answer, want := range map[string]failure{
		"HTTP/1.1 400 Bad Request\r\n\r\n": {StageConnack, "the server answered in HTTP, not in MQTT", "for MQTT over WebSocket use --url ws://HOST:PORT/mqtt; plain MQTT is usually on port 1883", true},
		"\x15\x03\x03\x00\x02\x02\x32":     inTLS,
		"\x16\x03\x01\x00\x01\x02":         inTLS,
		"SSH-2.0-OpenSSH_9.6\r\n":          {StageConnack, "the server answered as an SSH server, not in MQTT", "check --port; MQTT is usually on 1883, with TLS on 8883", true},
		"\x00\xff\x1b[31m":                 {StageConnack, says + `"\x00\xff\x1b[31m"`, ports, true},
		"\x15\x02":                         {StageConnack, says + `"\x15\x02"`, ports, true},
		"220 mail.example.com ESMTP Postfix, glad to meet you, indeed very glad to meet you\r\n": {StageConnack, says + `"220 mail.example.com ESM"`, ports, true},
		"":                         closed,
		"\x20":                     closed,
		"\x20\x02":                 closed,
		"\x20\x02\x00":             closed,
		"\x20\x00":                 {StageConnack, rules + "it sent a CONNACK that is malformed or out of place", "", true},
		"\x20\x03\x00\x00\x00":     {StageConnack, rules + "it sent a CONNACK that is malformed or out of place", "", true},
		"\x20\xff\xff\xff\xff\x01": {StageConnack, rules + "it sent a remaining length of more than four bytes", "", true},
		"\x30\x05\x00\x01thi":      {StageConnack, says + `"0\x05\x00\x01thi"`, ports, true},
		"\xd0\x00":                 {StageConnack, says + `"\xd0\x00"`, ports, true},
	} {
		t.Run(fmt.Sprintf("%.8q", answer), func(t *testing.T) {
			t.Parallel()
			o := answerOnce(t, answer)
			o.Retry.Enabled = want.Permanent // as another attempt would be in vain, none is made
			_, err := Open(t.Context(), o)
			checkFailure(t, err, o.Addr(), want)
		})
	}
}

// TestReset: a server that ends the connection hard is described like one that closes it.
func TestReset(t *testing.T) {
	t.Parallel()
	s := listen(t)
	opened := openAsync(t, s.options())
	p := s.accept()
	p.connect()
	_ = p.conn.(*net.TCPConn).SetLinger(0)
	p.drop()
	var ce *ConnectError
	if err := opened.err(); !errors.As(err, &ce) || ce.Reason != "the server closed the connection without a CONNACK" || ce.permanent {
		t.Errorf("%#v", err)
	}
}

// TestNotMQTTStaysOpen: a server that talks first and then waits is recognized without waiting for it.
func TestNotMQTTStaysOpen(t *testing.T) {
	t.Parallel()
	s := listen(t)
	opened := openAsync(t, s.options())
	p := s.accept()
	p.raw("SSH-2.0-x\r\n")
	var ce *ConnectError
	if err := opened.err(); !errors.As(err, &ce) || ce.Reason != "the server answered as an SSH server, not in MQTT" {
		t.Error(err)
	}
}

func TestNotMQTTRealServers(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	o := Options{Host: "127.0.0.1", Port: web.Listener.Addr().(*net.TCPAddr).Port, ClientID: "\r\n\r\n"} // which ends the request, so that it is answered
	_, err := Open(t.Context(), o)
	var ce *ConnectError
	if !errors.As(err, &ce) || ce.Reason != "the server answered in HTTP, not in MQTT" {
		t.Error(err)
	}
}

func TestNoConnack(t *testing.T) {
	t.Parallel()
	o := listen(t).options()
	o.ConnectTimeout = 50 * time.Millisecond
	_, err := Open(t.Context(), o)
	checkFailure(t, err, o.Addr(), failure{StageConnack, "connected, but no CONNACK within 50ms",
		"is this an MQTT port? A TLS port needs mqtts:// or --cafile\na slow server needs a longer --connect-timeout", false})
}

func TestConnackRefused(t *testing.T) {
	t.Parallel()
	const who = "the server wants to know who you are: add --username NAME and --ask-password (or MQ_PASSWORD)"
	for _, test := range []struct {
		name  string
		code  byte
		edit  func(*Options)
		fatal bool
		words string
		hint  string
	}{
		{"1", 1, nil, true, "unacceptable protocol version", "the server does not speak MQTT 3.1.1; try -V 31"},
		{"1 of 3.1", 1, func(o *Options) { o.Version = packet.V31 }, true, "unacceptable protocol version", "the server does not speak MQTT 3.1; try -V 311"},
		{"2", 2, nil, true, "client identifier rejected", "choose another client identifier with --id"},
		{"2 without id", 2, func(o *Options) { o.ClientID = "" }, true, "client identifier rejected", "this server wants a client identifier: add --id NAME"},
		{"3", 3, nil, false, "server unavailable", "the server is up but not ready; try again later, or add --retry"},
		{"4", 4, nil, true, "bad user name or password", who},
		{"4 without password", 4, func(o *Options) { o.Username = "u" }, true, "bad user name or password", `user name "u" was sent without a password: add --ask-password, --password-file or MQ_PASSWORD`},
		{"5", 5, nil, true, "not authorized", who},
		{"5 with password", 5, func(o *Options) { o.Username, o.Password = "u", "p" }, true, "not authorized", `check the password of user name "u", and that this user may connect as client identifier "tester"`},
		{"6", 6, nil, true, "return code 6", ""},
		{"255", 255, nil, true, "return code 255", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := listen(t)
			o := s.options()
			o.Retry.Enabled = test.fatal // which then makes no difference
			if test.edit != nil {
				test.edit(&o)
			}
			opened := openAsync(t, o)
			p := s.accept()
			p.connect()
			p.raw("\x20\x02\x00" + string([]byte{test.code}))
			var got *RefusedError
			if err := opened.err(); !errors.As(err, &got) {
				t.Fatalf("got %T %v, want a *RefusedError", err, err)
			}
			want := &RefusedError{Packet: packet.CONNECT, Addr: o.Addr(), Code: test.code, Words: test.words}
			if test.hint != "" {
				want.hints = []string{test.hint}
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(RefusedError{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if text := fmt.Sprintf("%s refused the connection: %s (0x%02x)", o.Addr(), test.words, test.code); got.Error() != text {
				t.Errorf("got %q, want %q", got.Error(), text)
			}
			if got.Fatal() != test.fatal {
				t.Errorf("Fatal is %v", got.Fatal())
			}
			p.expectEnd()
		})
	}
}

func TestConnect(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		edit func(*Options)
		want packet.Connect
	}{
		{"plain", func(o *Options) {}, packet.Connect{Version: packet.V311, CleanStart: true, ClientID: "tester"}},
		{"anonymous", func(o *Options) { o.ClientID = "" }, packet.Connect{Version: packet.V311, CleanStart: true}},
		{"3.1", func(o *Options) { o.Version = packet.V31 }, packet.Connect{Version: packet.V31, CleanStart: true, ClientID: "tester"}},
		{"kept", func(o *Options) { o.KeepSession, o.KeepAlive = true, 65535 }, packet.Connect{Version: packet.V311, KeepAlive: 65535, ClientID: "tester"}},
		{"user", func(o *Options) { o.Username = "u" }, packet.Connect{Version: packet.V311, CleanStart: true, ClientID: "tester", HasUserName: true, UserName: "u"}},
		{"password", func(o *Options) { o.Username, o.Password = "ü", "p\x00w" }, packet.Connect{Version: packet.V311, CleanStart: true, ClientID: "tester", HasUserName: true, UserName: "ü", HasPassword: true, Password: []byte("p\x00w")}},
		{"will", func(o *Options) {
			o.Will = &packet.Message{Topic: "w", Payload: []byte("\x00\xff"), QoS: 2, Retain: true}
		}, packet.Connect{Version: packet.V311, CleanStart: true, ClientID: "tester", Will: &packet.Will{Topic: "w", Payload: []byte("\x00\xff"), QoS: 2, Retain: true}}},
		{"empty will", func(o *Options) { o.Will = &packet.Message{Topic: "w"} },
			packet.Connect{Version: packet.V311, CleanStart: true, ClientID: "tester", Will: &packet.Will{Topic: "w", Payload: []byte{}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := listen(t)
			o := s.options()
			test.edit(&o)
			opened := openAsync(t, o)
			p := s.accept()
			if diff := cmp.Diff(&test.want, p.connect()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			p.send(&packet.Connack{})
			session := opened.session()
			if err := session.Close(); err != nil {
				t.Error(err)
			}
			p.expect(&packet.Disconnect{})
			p.expectEnd()
		})
	}
}

func TestSessionPresent(t *testing.T) {
	t.Parallel()
	for _, present := range []bool{false, true} {
		s := listen(t)
		o := s.options()
		o.KeepSession = true
		opened := openAsync(t, o)
		s.connect(present)
		if got := opened.session().SessionPresent(); got != present {
			t.Errorf("SessionPresent is %v, want %v", got, present)
		}
	}
}

// TestOpenCancelled ends Open at each step by its context.
func TestOpenCancelled(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		edit func(*Options)
		step func(p *peer)
	}{
		{"during TLS", func(o *Options) { o.Network, o.TLS.CAFile = TLS, certs().Path("ca.pem") }, func(p *peer) { _, _ = io.ReadFull(p.conn, make([]byte, 5)) }},
		{"during WebSocket", func(o *Options) { o.Network = WS }, func(p *peer) { _, _ = io.ReadFull(p.conn, make([]byte, 5)) }},
		{"before CONNACK", func(*Options) {}, func(p *peer) { p.connect() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := listen(t)
			o := s.options()
			o.Retry.Enabled = true
			test.edit(&o)
			ctx, cancel := context.WithCancel(t.Context())
			err := async(func() error { _, err := Open(ctx, o); return err })
			test.step(s.accept())
			cancel()
			if err := receive(t, err); err != context.Canceled {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestAlertAfterHandshake: with TLS 1.3 a server refuses a client's certificate when our handshake is over, so that its
// alert and the failure of our CONNECT, written to a closed connection, arrive together.
func TestAlertAfterHandshake(t *testing.T) {
	t.Parallel()
	for range 20 {
		o := listenTLS(t, serverTLS(t, "server", "ca.pem"), TLS)
		_, err := Open(t.Context(), o)
		checkFailure(t, err, o.Addr(), failure{StageTLS, "the server demands a client certificate", "pass a client certificate: --cert FILE --key FILE", true})
	}
}

// TestTLSPeerIsNotMQTT: what is recognized inside TLS is the same, but the hint about TLS is left out.
func TestTLSPeerIsNotMQTT(t *testing.T) {
	t.Parallel()
	s := listen(t)
	o := s.options()
	o.Network, o.TLS.CAFile = TLS, certs().Path("ca.pem")
	opened := openAsync(t, o)
	p := s.accept()
	tc := tls.Server(p.conn, serverTLS(t, "server", ""))
	if _, err := tc.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	tc.Close()
	err := opened.err()
	checkFailure(t, err, o.Addr(), failure{StageConnack, "the server closed the connection without a CONNACK", "it may not speak MQTT 3.1.1, or not like the client identifier or the user", false})
	if strings.Contains(err.Error(), "TLS") {
		t.Error(err)
	}
}
