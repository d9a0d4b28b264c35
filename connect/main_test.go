package connect

import (
	"crypto/tls"
	"net"
	"os"
	"sync"
	"testing"

	"mq/broker"
	"mq/tlsconf"
	"mq/tlsconf/zoo"
)

// certs are the certificates of all tests, made when the first one asks.
var certs = sync.OnceValue(func() *zoo.Zoo {
	dir, err := os.MkdirTemp("", "mq-connect-")
	if err != nil {
		panic(err)
	}
	z, err := zoo.Write(dir)
	if err != nil {
		panic(err)
	}
	return z
})

func TestMain(m *testing.M) {
	code := m.Run()
	os.RemoveAll(certs().Dir)
	os.Exit(code)
}

// serverTLS returns the listener's side for a certificate of the zoo; clientCA may be "".
func serverTLS(t *testing.T, name, clientCA string) *tls.Config {
	t.Helper()
	z := certs()
	if clientCA != "" {
		clientCA = z.Path(clientCA)
	}
	c, err := tlsconf.ServerConfig(z.Path(name+".pem"), z.Path(name+".key"), clientCA, clientCA != "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// startBroker starts mq's own broker on the networks and returns options that lead to each.
func startBroker(t *testing.T, o broker.Options, networks ...Network) map[Network]Options {
	t.Helper()
	for _, n := range networks {
		l := broker.Listener{Network: string(n), Address: "127.0.0.1:0"}
		if n == Unix {
			l.Address = t.TempDir() + "/mq.sock"
		}
		o.Listeners = append(o.Listeners, l)
	}
	b, err := broker.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("broker: %v", err)
		}
	})
	m := make(map[Network]Options)
	for _, n := range networks {
		c := Options{Network: n, ClientID: "tester-" + string(n), ConnectTimeout: patience}
		if n == Unix {
			c.SocketPath = b.Addr("unix")
		} else {
			addr, err := net.ResolveTCPAddr("tcp", b.Addr(string(n)))
			if err != nil {
				t.Fatal(err)
			}
			c.Host, c.Port = addr.IP.String(), addr.Port
		}
		c.TLS.CAFile = certs().Path("ca.pem")
		m[n] = c
	}
	return m
}
