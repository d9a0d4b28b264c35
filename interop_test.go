package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"mq/tlsconf/zoo"
)

// TestInterop runs the scripts that cross mq with mosquitto's broker and clients.
func TestInterop(t *testing.T) {
	for _, prog := range []string{"mosquitto", "mosquitto_pub", "mosquitto_sub"} {
		if _, err := findProgram(prog); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%v: install mosquitto and mosquitto-clients", err)
			}
			t.Skipf("%v: install mosquitto and mosquitto-clients to run the interoperability scripts", err)
		}
	}
	files, err := filepath.Glob("testdata/script/interop_*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no testdata/script/interop_*.txtar")
	}
	certs := certificates(t)
	testscript.Run(t, testscript.Params{Files: files, Cmds: scriptCommands, UpdateScripts: *update,
		RequireExplicitExec: true, RequireUniqueNames: true, Condition: condition,
		Setup: func(e *testscript.Env) error {
			if err := setup(e, certs); err != nil {
				return err
			}
			return startMosquitto(e, certs)
		}})
}

// findProgram looks in Debian's directory for daemons too, which is not on everybody's PATH.
func findProgram(name string) (string, error) {
	if p, err := exec.LookPath(name); err == nil {
		return p, nil
	}
	return exec.LookPath("/usr/sbin/" + name)
}

// mosquittoConfig has a listener for every transport. $ words are replaced by the script's environment.
const mosquittoConfig = `
allow_anonymous true
persistence false
max_queued_messages 0
sys_interval 1
user root
log_dest file $WORK/mosquitto.log
log_type error
log_type warning
log_type subscribe
log_type unsubscribe
listener $M_PORT 127.0.0.1
listener $M_TLS_PORT 127.0.0.1
cafile $CERTS/ca.pem
certfile $CERTS/server.pem
keyfile $CERTS/server.key
listener $M_MTLS_PORT 127.0.0.1
cafile $CERTS/ca.pem
certfile $CERTS/server.pem
keyfile $CERTS/server.key
require_certificate true
listener $M_WS_PORT 127.0.0.1
protocol websockets
listener 0 $M_UNIX
`

// startMosquitto runs Debian's broker for one script. Its log, with the subscriptions, is mosquitto.log.
func startMosquitto(e *testscript.Env, certs *zoo.Zoo) error {
	e.Setenv("M_UNIX", filepath.Join(e.Getenv("SOCKETS"), "m"))
	names := []string{"M_PORT", "M_TLS_PORT", "M_MTLS_PORT", "M_WS_PORT"}
	ports, err := freePorts(len(names))
	if err != nil {
		return err
	}
	for i, name := range names {
		e.Setenv(name, ports[i])
	}
	e.Setenv("M", "-h 127.0.0.1 -p "+ports[0])
	config := filepath.Join(e.WorkDir, "mosquitto.conf")
	if err := os.WriteFile(config, []byte(os.Expand(mosquittoConfig, e.Getenv)), 0o600); err != nil {
		return err
	}
	prog, err := findProgram("mosquitto")
	if err != nil {
		return err
	}
	output := new(strings.Builder)
	cmd := exec.Command(prog, "-c", config)
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		return err
	}
	p := &proc{cmd: cmd, done: make(chan struct{})}
	go func() { p.waitErr = cmd.Wait(); close(p.done) }()
	worldOfEnv(e).procs["mosquitto"] = p
	up := func(network, address string) func() bool {
		return func() bool {
			c, err := net.Dial(network, address)
			if err == nil {
				c.Close()
			}
			return err == nil
		}
	}
	for _, port := range ports {
		if !poll(up("tcp", net.JoinHostPort("127.0.0.1", port))) {
			p.kill()
			return fmt.Errorf("mosquitto does not listen on port %s: %s", port, output)
		}
	}
	if !poll(up("unix", e.Getenv("M_UNIX"))) {
		p.kill()
		return fmt.Errorf("mosquitto does not listen on %s: %s", e.Getenv("M_UNIX"), output)
	}
	return nil
}

func worldOfEnv(e *testscript.Env) *world { return e.Values[worldKey{}].(*world) }

// freePorts finds ports by listening on all of them at once before any is given up.
func freePorts(n int) ([]string, error) {
	var ports []string
	for range n {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer ln.Close()
		ports = append(ports, strconv.Itoa(ln.Addr().(*net.TCPAddr).Port))
	}
	return ports, nil
}
