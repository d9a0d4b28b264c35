package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"mq/broker"
	"mq/tlsconf"
	"mq/tlsconf/zoo"
)

var update = flag.Bool("update", false, "rewrite the expected output inside the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mq": main, "seq": seqMain, "countlines": countLinesMain})
}

// certificates is written once, by the first test that asks for it.
var certificates = func() func(t testing.TB) *zoo.Zoo {
	var z *zoo.Zoo
	return func(t testing.TB) *zoo.Zoo {
		if z == nil {
			dir, err := os.MkdirTemp("", "mq-certs")
			if err != nil {
				t.Fatal(err)
			}
			if z, err = zoo.Write(dir); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir); z = nil })
		}
		return z
	}
}()

func TestScripts(t *testing.T) {
	var files []string
	for _, f := range scriptFiles(t) {
		if !strings.HasPrefix(filepath.Base(f), "interop_") {
			files = append(files, f)
		}
	}
	if len(files) == 0 {
		t.Fatal("no scripts in testdata/script")
	}
	certs := certificates(t)
	testscript.Run(t, testscript.Params{Files: files, Cmds: scriptCommands, UpdateScripts: *update,
		RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error { return setup(e, certs) }, Condition: condition})
}

func scriptFiles(t *testing.T) []string {
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// setup gives a script a world of its own: an empty home, a clean environment and brokers on free ports.
func setup(e *testscript.Env, certs *zoo.Zoo) error {
	w := newWorld()
	e.Values[worldKey{}] = w
	e.Defer(w.close)
	socketDir, err := os.MkdirTemp("", "mq") // the work directory may be too deep for a socket
	if err != nil {
		return err
	}
	w.cleanup(func() { os.RemoveAll(socketDir) })
	captures, err := filepath.Abs("testdata/captures")
	if err != nil {
		return err
	}
	docs, err := filepath.Abs("docs")
	if err != nil {
		return err
	}
	for k, v := range map[string]string{
		"CAPTURES": captures, "DOCS": docs, "HOME": e.WorkDir, "USERPROFILE": e.WorkDir, "XDG_CONFIG_HOME": filepath.Join(e.WorkDir, ".config"),
		"TZ": "Asia/Kolkata", "CERTS": certs.Dir, "NO_PROXY": "*", "UNIX_SOCKET": filepath.Join(socketDir, "s"),
		"GORACE": "atexit_sleep_ms=0 " + os.Getenv("GORACE"), "SOCKETS": socketDir,
	} {
		e.Setenv(k, v)
	}
	return startBrokers(e, w, certs)
}

// startBrokers starts the script's own broker, one that wants client certificates, and one with users.
func startBrokers(e *testscript.Env, w *world, certs *zoo.Zoo) error {
	server, err := tlsconf.ServerConfig(certs.Path("server.pem"), certs.Path("server.key"), "", false)
	if err != nil {
		return err
	}
	listeners := []broker.Listener{{Network: "unix", Address: e.Getenv("UNIX_SOCKET")}}
	for _, n := range []string{"tcp", "tls", "ws", "wss"} {
		listeners = append(listeners, broker.Listener{Network: n, Address: "127.0.0.1:0"})
	}
	s, err := w.start(broker.Options{Listeners: listeners, TLS: server, OnEvent: w.event, PublishEvents: true})
	if err != nil {
		return err
	}
	w.broker = s
	mutual, err := tlsconf.ServerConfig(certs.Path("server.pem"), certs.Path("server.key"), certs.Path("ca.pem"), true)
	if err != nil {
		return err
	}
	m, err := w.start(broker.Options{Listeners: []broker.Listener{{Network: "tls", Address: "127.0.0.1:0"}}, TLS: mutual})
	if err != nil {
		return err
	}
	users, err := broker.ParseUsers(strings.NewReader(scriptUsers), "users")
	if err != nil {
		return err
	}
	a, err := w.start(broker.Options{Listeners: []broker.Listener{{Network: "tcp", Address: "127.0.0.1:0"}}, Users: users, OnEvent: w.event})
	if err != nil {
		return err
	}
	for _, p := range []struct{ name, addr string }{
		{"MQTT_PORT", s.Addr("tcp")}, {"TLS_PORT", s.Addr("tls")}, {"WS_PORT", s.Addr("ws")}, {"WSS_PORT", s.Addr("wss")},
		{"MTLS_PORT", m.Addr("tls")}, {"AUTH_PORT", a.Addr("tcp")},
	} {
		e.Setenv(p.name, p.addr[strings.LastIndexByte(p.addr, ':')+1:])
	}
	if six, err := w.start(broker.Options{Listeners: []broker.Listener{{Network: "tcp", Address: "[::1]:0"}}}); err == nil {
		addr := six.Addr("tcp")
		e.Setenv("V6_PORT", addr[strings.LastIndexByte(addr, ':')+1:])
	}
	e.Setenv("MQTT_URL", "mqtt://"+s.Addr("tcp"))
	e.Setenv("WS_URL", fmt.Sprintf("ws://%s/mqtt", s.Addr("ws")))
	return nil
}

// scriptUsers are the users of the broker on AUTH_PORT.
const scriptUsers = `
user heater s3cret
readwrite home/#
deny home/secret
user odd "p@ss:/ w%rd"
readwrite #
`

// condition knows [ipv6].
func condition(name string) (bool, error) {
	if name != "ipv6" {
		return false, fmt.Errorf("unknown condition %q", name)
	}
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return false, nil
	}
	return true, ln.Close()
}
