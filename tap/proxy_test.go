package tap

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mq/connect"
	"mq/packet"
)

// allQoS is what a client and a server say to each other in a talk with every QoS, and the same from the server.
func allQoS(t testing.TB, v packet.Version) (client, server string) {
	hello := wire(t, v, &packet.Connect{CleanStart: true, ClientID: "c"})
	var pubs string
	for q := range packet.QoS(3) {
		pubs += wire(t, v, &packet.Publish{QoS: q, PacketID: uint16(q) * 10, Topic: []byte("a/b"), Payload: bytes.Repeat([]byte{byte(q)}, 50_000)})
	}
	acks := wire(t, v, &packet.Puback{PacketID: 10}, &packet.Pubrec{PacketID: 20}, &packet.Pubcomp{PacketID: 20})
	rel := wire(t, v, &packet.Pubrel{PacketID: 20})
	return hello + wire(t, v, &packet.Subscribe{PacketID: 1, Subscriptions: []packet.Subscription{{Filter: "#", QoS: 2}}}) + pubs + rel + acks +
			wire(t, v, &packet.Pingreq{}, &packet.Disconnect{}),
		wire(t, v, &packet.Connack{}, &packet.Suback{PacketID: 1, Codes: []packet.ReasonCode{2}}) + acks + pubs + rel + wire(t, v, &packet.Pingresp{})
}

// fakeServer accepts connections, says its part to each, and keeps what it is sent.
type fakeServer struct {
	net.Listener
	says string
	mu   sync.Mutex
	got  [][]byte
	wg   sync.WaitGroup
}

func newFakeServer(t testing.TB, says string, c *tls.Config) *fakeServer {
	l := listen(t)
	s := &fakeServer{Listener: l, says: says}
	if c != nil {
		s.Listener = tls.NewListener(l, c)
	}
	go func() {
		for {
			conn, err := s.Accept()
			if err != nil {
				return
			}
			s.wg.Go(func() { s.serve(conn) })
		}
	}()
	t.Cleanup(func() { s.Close() })
	return s
}

func (s *fakeServer) serve(conn net.Conn) {
	defer conn.Close()
	first := make([]byte, 1)
	n, _ := io.ReadFull(conn, first)
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = io.WriteString(conn, s.says) })
	b, _ := io.ReadAll(conn)
	wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, append(first[:n], b...))
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// start runs p until the test ends or stop is called, which waits for it.
func start(t testing.TB, p *Proxy) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func dialTo(a net.Addr) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", a.String())
	}
}

func webSocketTo(a net.Addr) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		return connect.Dial(ctx, connect.Options{Network: connect.WS, Host: "127.0.0.1", Port: a.(*net.TCPAddr).Port})
	}
}

func testTLS(t testing.TB) (server, client *tls.Config) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"test"}}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{InsecureSkipVerify: true}
}

func tlsTo(a net.Addr, c *tls.Config) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		d := tls.Dialer{Config: c}
		return d.DialContext(ctx, "tcp", a.String())
	}
}

// speak says what on a new connection, closes it for writing if it can, and returns what comes back.
func speak(t testing.TB, dial func(context.Context) (net.Conn, error), what string, expect int) string {
	conn, err := dial(context.Background())
	if err != nil {
		t.Error(err)
		return ""
	}
	defer conn.Close()
	go func() { _, _ = io.WriteString(conn, what) }()
	b := make([]byte, expect)
	n, err := io.ReadFull(conn, b)
	if err != nil {
		t.Error(err)
	}
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
	}
	return string(b[:n])
}

func TestProxyForwardsUntouched(t *testing.T) {
	serverTLS, clientTLS := testTLS(t)
	never, _ := ParseFault("drop AUTH")
	for _, tt := range []struct {
		name          string
		far, near, ws bool
		layer         Layer
		faults        []*FaultRule
	}{
		{name: "plain", layer: LayerTCP}, {name: "TLS to the server", far: true, layer: LayerTCP}, {name: "TLS to the client", near: true, layer: LayerTLS},
		{name: "WebSocket", ws: true, layer: LayerWS}, {name: "faults that never happen", layer: LayerTCP, faults: []*FaultRule{never}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, server := allQoS(t, packet.V311)
			var far *tls.Config
			if tt.far {
				far = serverTLS
			}
			s := newFakeServer(t, server, far)
			dial := dialTo(s.Addr())
			if tt.far {
				dial = tlsTo(s.Addr(), clientTLS)
			}
			r := newRecord(t)
			p := &Proxy{Listener: listen(t), Dial: dial, Sink: r, Faults: tt.faults}
			to := dialTo(p.Listener.Addr())
			if tt.near {
				p.ServerTLS, to = serverTLS, tlsTo(p.Listener.Addr(), clientTLS)
			}
			if tt.ws { // two proxies in a row have a WebSocket between them
				outer := &Proxy{Listener: listen(t), Dial: webSocketTo(p.Listener.Addr()), Sink: Discard{}}
				to = dialTo(outer.Listener.Addr())
				defer start(t, outer)()
			}
			stop := start(t, p)
			const n = 20
			var wg sync.WaitGroup
			for range n {
				wg.Go(func() {
					if got := speak(t, to, client, len(server)); got != server {
						t.Errorf("the client got %d bytes that differ", len(got))
					}
				})
			}
			wg.Wait()
			s.Close()
			if tt.ws {
				waitFor(t, s, n)
			}
			stop()
			s.wg.Wait()
			if len(s.got) != n {
				t.Errorf("%d connections, want %d", len(s.got), n)
			}
			for _, b := range s.got {
				if string(b) != client {
					t.Errorf("the server got %d bytes that differ from %d", len(b), len(client))
				}
			}
			checkShown(t, r, n, tt.layer)
		})
	}
}

// waitFor waits until the server has seen n connections end.
func waitFor(t *testing.T, s *fakeServer, n int) {
	deadline := time.Now().Add(10 * time.Second)
	for tick := time.NewTicker(time.Millisecond); ; <-tick.C {
		s.mu.Lock()
		have := len(s.got)
		s.mu.Unlock()
		if have >= n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections ended, want %d", have, n)
		}
	}
}

func checkShown(t *testing.T, r *record, n int, layer Layer) {
	t.Helper()
	if len(r.conns) != n || len(r.closed) != n || len(r.packets) != n*(11+10) {
		t.Errorf("%d connections, %d closed, %d packets\n%.2000s", len(r.conns), len(r.closed), len(r.packets), strings.Join(r.trouble(), "\n"))
	}
	for _, c := range r.conns {
		if c.Layer != layer || !c.Client.IsValid() || !c.Server.IsValid() || r.closed[c] != ClosedByClient && layer != LayerWS {
			t.Errorf("%+v closed by %v", c, r.closed[c])
		}
	}
	if l := r.trouble(); len(l) > 0 {
		t.Errorf("%.2000s", strings.Join(l, "\n"))
	}
}

func TestProxyEnds(t *testing.T) {
	hello := wire(t, packet.V311, &packet.Connect{CleanStart: true, ClientID: "c"})
	t.Run("no server", func(t *testing.T) {
		l := listen(t)
		l.Close()
		r := newRecord(t)
		p := &Proxy{Listener: listen(t), Dial: dialTo(l.Addr()), Sink: r}
		stop := start(t, p)
		conn, err := net.Dial("tcp", p.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, conn) // until the proxy closes
		stop()
		if len(r.log) != 3 || r.log[2] != "#1 close no connection" {
			t.Errorf("%q", r.log)
		}
	})
	t.Run("server closes first", func(t *testing.T) {
		l := listen(t)
		go func() {
			conn, err := l.Accept()
			if err == nil {
				_, _ = io.ReadFull(conn, make([]byte, len(hello)))
				conn.Close()
			}
		}()
		r := newRecord(t)
		p := &Proxy{Listener: listen(t), Dial: dialTo(l.Addr()), Sink: r}
		stop := start(t, p)
		conn, _ := net.Dial("tcp", p.Listener.Addr().String())
		_, _ = io.WriteString(conn, hello)
		_, _ = io.Copy(io.Discard, conn)
		conn.Close()
		stop()
		if len(r.log) != 3 || r.log[2] != "#1 close server" {
			t.Errorf("%q", r.log)
		}
	})
	t.Run("server closes on a silent client", func(t *testing.T) {
		l := listen(t)
		go func() {
			if conn, err := l.Accept(); err == nil {
				conn.Close()
			}
		}()
		r := newRecord(t)
		p := &Proxy{Listener: listen(t), Dial: dialTo(l.Addr()), Sink: r}
		stop := start(t, p)
		conn, _ := net.Dial("tcp", p.Listener.Addr().String())
		_, _ = io.Copy(io.Discard, conn)
		stop()
		if len(r.log) != 3 || r.log[2] != "#1 close server" {
			t.Errorf("%q", r.log)
		}
	})
	t.Run("the proxy is stopped", func(t *testing.T) {
		s := newFakeServer(t, "\x20\x02\x00\x00", nil)
		r := newRecord(t)
		p := &Proxy{Listener: listen(t), Dial: dialTo(s.Addr()), Sink: r}
		stop := start(t, p)
		conn, _ := net.Dial("tcp", p.Listener.Addr().String())
		_, _ = io.WriteString(conn, hello)
		_, _ = io.ReadFull(conn, make([]byte, 4))
		stop()
		if len(r.log) != 4 || r.log[3] != "#1 close proxy" {
			t.Errorf("%q", r.log)
		}
	})
}

func TestProxyFaults(t *testing.T) {
	v := packet.V5
	hello := wire(t, v, &packet.Connect{CleanStart: true, ClientID: "c"})
	ack := func(id uint16) string { return wire(t, v, &packet.Puback{PacketID: id}) }
	connack := wire(t, v, &packet.Connack{})
	tests := []struct {
		fault string
		want  string // what the client gets when the server sends CONNACK and three PUBACK
		told  []string
	}{
		{"drop PUBACK", connack, []string{"dropped", "dropped", "dropped"}},
		{"drop PUBACK c2s", connack + ack(1) + ack(2) + ack(3), nil},
		{"duplicate PUBACK s2c", connack + strings.Repeat(ack(1), 2) + strings.Repeat(ack(2), 2) + strings.Repeat(ack(3), 2), []string{"sent twice", "sent twice", "sent twice"}},
		{"cut after 2 PUBACK", connack + ack(1) + ack(2), []string{"connection cut after it"}},
		{"truncate CONNACK", "", []string{"cut off after 1 bytes, connection closed"}},
		{"delay PUBACK 1ms", connack + ack(1) + ack(2) + ack(3), []string{"delayed by 1ms", "delayed by 1ms", "delayed by 1ms"}},
		{"reason PUBACK 0x97", connack + "\x40\x03\x00\x01\x97\x40\x03\x00\x02\x97\x40\x03\x00\x03\x97", slices.Repeat([]string{"reason code replaced by " + packet.ReasonCode(0x97).In(packet.PUBACK) + " (0x97)"}, 3)},
		{"reason CONNACK 0x87", connack[:3] + "\x87" + connack[4:] + ack(1) + ack(2) + ack(3), []string{"reason code replaced by " + packet.ReasonCode(0x87).In(packet.CONNACK) + " (0x87)"}},
	}
	for _, tt := range tests {
		t.Run(tt.fault, func(t *testing.T) {
			rule, err := ParseFault(tt.fault)
			if err != nil {
				t.Fatal(err)
			}
			l := listen(t)
			defer l.Close()
			go func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = io.ReadFull(conn, make([]byte, len(hello)))
				_, _ = io.WriteString(conn, connack+ack(1)+ack(2)+ack(3))
				_ = conn.(*net.TCPConn).CloseWrite()
				_, _ = io.Copy(io.Discard, conn)
				conn.Close()
			}()
			r := newRecord(t)
			p := &Proxy{Listener: listen(t), Dial: dialTo(l.Addr()), Sink: r, Faults: []*FaultRule{rule}, Seed: 1}
			stop := start(t, p)
			conn, err := net.Dial("tcp", p.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(conn, hello)
			got, _ := io.ReadAll(conn)
			conn.Close()
			stop()
			if rule.Action == FaultTruncate {
				r.faults[0].Forwarded, got = r.faults[0].Forwarded-len(got)+1, nil
			}
			if string(got) != tt.want {
				t.Errorf("got %x\nwant %x", got, tt.want)
			}
			var told []string
			for _, f := range r.faults {
				told = append(told, f.String())
			}
			if !slices.Equal(told, tt.told) {
				t.Errorf("told %q, want %q", told, tt.told)
			}
		})
	}
}

func TestParseFault(t *testing.T) {
	good := map[string]FaultRule{
		"drop PUBACK 10%":           {Action: FaultDrop, Type: packet.PUBACK, QoS: -1, Probability: .1},
		"delay pubcomp 2s":          {Action: FaultDelay, Type: packet.PUBCOMP, QoS: -1, Probability: 1, Delay: 2 * time.Second},
		"duplicate PUBLISH q1 1/20": {Action: FaultDuplicate, Type: packet.PUBLISH, QoS: 1, Probability: .05},
		"cut after 5 PUBLISH":       {Action: FaultCut, Type: packet.PUBLISH, QoS: -1, Probability: 1, After: 5},
		"truncate PUBLISH 1% s2c":   {Action: FaultTruncate, Type: packet.PUBLISH, QoS: -1, Probability: .01, Direction: packet.ServerToClient},
		"truncate":                  {Action: FaultTruncate, QoS: -1, Probability: 1},
		"reason PUBACK 0x97":        {Action: FaultReason, Type: packet.PUBACK, QoS: -1, Probability: 1, Code: 0x97},
		"DROP any c2s 50%":          {Action: FaultDrop, QoS: -1, Probability: .5, Direction: packet.ClientToServer},
	}
	for text, want := range good {
		want.Text = text
		if r, err := ParseFault(text); err != nil || *r != want {
			t.Errorf("%s: %+v, %v", text, r, err)
		}
	}
	for _, text := range []string{"", "explode", "drop FOO", "drop PUBACK 0%", "drop 110%", "delay PUBACK", "drop PUBACK 2s", "reason PUBACK",
		"reason PUBLISH 0x80", "reason 0x80", "drop after 3 PUBLISH", "cut after 0 PUBLISH", "cut after", "drop PUBACK q1", "drop PUBACK PUBREC",
		"delay PUBACK -1s", "drop 1/0", "drop NaN%", "reason PUBACK 0x100"} {
		if r, err := ParseFault(text); err == nil {
			t.Errorf("%q was accepted: %+v", text, r)
		} else if e, ok := err.(*Error); !ok || len(e.Hints()) == 0 {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestFaultsRepeat checks that a seed makes chance repeatable.
func TestFaultsRepeat(t *testing.T) {
	rule, _ := ParseFault("drop PUBACK 30%")
	run := func(seed uint64) (s string) {
		in := &injector{rules: []*FaultRule{rule}, dice: newDice(seed), dir: packet.ServerToClient, counts: make([]int, 1)}
		for range 100 {
			s += fmt.Sprint(len(in.apply(0, []byte{0x40, 2, 0, 1}).bytes) / 4)
		}
		return s
	}
	if a, b := run(7), run(7); a != b || strings.Count(a, "0") < 15 || strings.Count(a, "0") > 45 {
		t.Errorf("%s\n%s", a, b)
	}
	if run(7) == run(8) {
		t.Error("the seed makes no difference")
	}
}

func BenchmarkProxyRoundTrip(b *testing.B) {
	for _, through := range []bool{false, true} {
		b.Run(fmt.Sprintf("proxy=%v", through), func(b *testing.B) {
			l := listen(b)
			defer l.Close()
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					go func() { _, _ = io.Copy(conn, conn) }()
				}
			}()
			to := l.Addr()
			if through {
				p := &Proxy{Listener: listen(b), Dial: dialTo(l.Addr()), Sink: Discard{}}
				defer start(b, p)()
				to = p.Listener.Addr()
			}
			conn, err := net.Dial("tcp", to.String())
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			ping := []byte{0xc0, 0}
			for b.Loop() {
				_, _ = conn.Write(ping)
				if _, err := io.ReadFull(conn, ping); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
