package connect

import (
	"fmt"
	"strconv"
	"testing"

	"mq/broker"
	"mq/packet"
)

// TestThroughBroker sends messages of each QoS from one session to another, by every way there is to a broker.
func TestThroughBroker(t *testing.T) {
	t.Parallel()
	const n = 300
	for network, o := range startBroker(t, broker.Options{TLS: serverTLS(t, "server", "")}, TCP, TLS, WS, WSS, Unix) {
		t.Run(string(network), func(t *testing.T) {
			r := record(t, &o)
			o.ClientID = "sub-" + string(network)
			sub, err := Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			filter := string(network) + "/+"
			if res, err := sub.Subscribe(t.Context(), []Subscription{{filter, 2}}); err != nil || res[0].Refused != nil {
				t.Fatal(res, err)
			}
			o.ClientID, o.OnMessage = "pub-"+string(network), nil
			pub, err := Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			a := newAcks(t)
			for i := range n {
				m := packet.Message{Topic: fmt.Sprint(network, "/", i%3), QoS: packet.QoS(i % 3), Payload: []byte(strconv.Itoa(i))}
				if err := pub.Publish(t.Context(), &m, a.callback(i)); err != nil {
					t.Fatal(err)
				}
			}
			if err := pub.Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := pub.Close(); err != nil {
				t.Error(err)
			}
			if got := len(a.c); got != n {
				t.Errorf("%d callbacks, want %d", got, n)
			}
			var next [3]int
			for range n {
				m := receive(t, r.messages)
				q := int(m.QoS)
				if want := 3*next[q] + q; string(m.Payload) != strconv.Itoa(want) || m.Topic != fmt.Sprint(network, "/", q) {
					t.Fatalf("got %q on %q at QoS %d, want %d", m.Payload, m.Topic, q, want)
				}
				next[q]++
			}
			if err := sub.Close(); err != nil {
				t.Error(err)
			}
			if p, s := pub.Stats(), sub.Stats(); p.Published != n || p.Written != n || p.Acknowledged != 2*n/3 || s.Received != n || s.Duplicates != 0 {
				t.Errorf("publisher %+v, subscriber %+v", p, s)
			}
		})
	}
}
