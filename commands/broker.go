package commands

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"mq/broker"
	"mq/tlsconf"
)

// brokerOptions is what `mq broker` was asked to do.
type brokerOptions struct {
	bind                           string
	port, tlsPort, wsPort, wssPort int
	unix                           string
	cert, key, ca                  string
	requireCert, anonymous         bool
	users, store                   string
	verbose                        int

	options []*option
}

func brokerCommand(env *Env) *command {
	o := &brokerOptions{}
	cmd := &command{
		name: "broker", local: true, usage: "run a small broker for development and tests",
		args: "[options]",
		about: "Runs an MQTT broker (3.1, 3.1.1 and 5.0) until it is interrupted. It is meant for development, tests and smoke " +
			"tests, not for production: use mosquitto, EMQX or their like there.\n\nWhen it accepts connections it prints its " +
			"addresses as URLs on one line of standard output. It listens on this machine only unless --bind says otherwise, and " +
			"lets clients without a user name in from this machine only unless --allow-anonymous is given.",
		example: []example{
			{"mq broker", "on port 1883 of this machine"},
			{"mq broker --port 0", "on a free port, which is printed"},
			{"mq broker --port 1883 --ws-port 8080 -v", "with WebSocket, showing who connects"},
			{"mq broker --users users.txt --store state.db --bind 0.0.0.0", "with passwords, remembering its state"},
		},
	}
	const l, a = groupListen, groupAccess
	cmd.options = []*option{
		{group: l, name: "port", short: "p", arg: "PORT", usage: "port for MQTT over TCP, 0 for a free one (default 1883, none if another listener is given)", set: setInt(&o.port, 0, 65535)},
		{group: l, name: "tls-port", arg: "PORT", usage: "port for MQTT over TLS; needs --cert and --key", set: setInt(&o.tlsPort, 0, 65535)},
		{group: l, name: "ws-port", arg: "PORT", usage: "port for MQTT over WebSocket", set: setInt(&o.wsPort, 0, 65535)},
		{group: l, name: "wss-port", arg: "PORT", usage: "port for MQTT over WebSocket and TLS; needs --cert and --key", set: setInt(&o.wssPort, 0, 65535)},
		{group: l, name: "unix", arg: "PATH", usage: "listen on a Unix socket", set: setString(&o.unix)},
		{group: l, name: "bind", short: "A", arg: "ADDRESS", usage: "address to listen on (default 127.0.0.1; 0.0.0.0 is everywhere)", set: setString(&o.bind)},
		{group: l, name: "cert", arg: "FILE", usage: "certificate of the server (PEM)", set: setString(&o.cert)},
		{group: l, name: "key", arg: "FILE", usage: "private key of --cert (PEM)", set: setString(&o.key)},
		{group: a, name: "cafile", arg: "FILE", usage: "CA certificates that client certificates are checked with", set: setString(&o.ca)},
		{group: a, name: "require-certificate", usage: "refuse clients without a certificate; needs --cafile", set: setBool(&o.requireCert)},
		{group: a, name: "users", arg: "FILE", usage: "users and what they may do: lines `user NAME PASSWORD`, below each `read FILTER`, `write FILTER`, `readwrite FILTER` or `deny FILTER`, with %u for the user name and %c for the client identifier; lines before the first user are for everyone", set: setString(&o.users)},
		{group: a, name: "allow-anonymous", usage: "let clients without a user name in from everywhere", set: setBool(&o.anonymous)},
		{group: groupGeneral, name: "store", arg: "FILE", usage: "keep retained messages and sessions in FILE across restarts", set: setString(&o.store)},
		{group: groupGeneral, name: "verbose", short: "v", usage: "a line on standard error for each client that connects, subscribes or leaves; twice for messages too", set: countBool(&o.verbose)},
	}
	o.options = cmd.options
	cmd.run = func(ctx context.Context) error { return runBroker(ctx, env, o) }
	return cmd
}

func (o *brokerOptions) given(name string) bool {
	for _, opt := range o.options {
		if opt.name == name {
			return opt.count > 0
		}
	}
	return false
}

// listeners lists what to listen on, TCP first.
func (o *brokerOptions) listeners() []broker.Listener {
	host := o.bind
	if host == "" {
		host = "127.0.0.1"
	}
	var out []broker.Listener
	add := func(network string, port int) {
		out = append(out, broker.Listener{Network: network, Address: net.JoinHostPort(host, strconv.Itoa(port))})
	}
	for _, l := range []struct {
		network, flag string
		port          int
	}{{"tcp", "port", o.port}, {"tls", "tls-port", o.tlsPort}, {"ws", "ws-port", o.wsPort}, {"wss", "wss-port", o.wssPort}} {
		if o.given(l.flag) {
			add(l.network, l.port)
		}
	}
	if o.unix != "" {
		out = append(out, broker.Listener{Network: "unix", Address: o.unix})
	}
	if len(out) == 0 {
		add("tcp", 1883)
	}
	return out
}

func (o *brokerOptions) build(env *Env) (broker.Options, error) {
	b := broker.Options{Listeners: o.listeners(), StoreFile: o.store, PublishEvents: o.verbose > 1}
	if o.anonymous {
		b.Anonymous = broker.AnonymousAlways
	}
	tls := o.given("tls-port") || o.given("wss-port")
	switch {
	case tls && (o.cert == "" || o.key == ""):
		return b, usagef("--tls-port and --wss-port need a certificate").hint("add --cert FILE and --key FILE")
	case !tls && (o.cert != "" || o.key != "" || o.ca != ""):
		return b, usagef("--cert, --key and --cafile have no effect without TLS").hint("add --tls-port PORT or --wss-port PORT")
	case o.requireCert && o.ca == "":
		return b, usagef("--require-certificate needs --cafile: which authority do the clients' certificates come from?")
	case tls:
		c, err := tlsconf.ServerConfig(o.cert, o.key, o.ca, o.requireCert)
		if err != nil {
			return b, err
		}
		b.TLS = c
	}
	if o.users != "" {
		f, err := os.Open(o.users)
		if err != nil {
			return b, usagef("--users %q: %v", o.users, reasonOf(err))
		}
		defer f.Close()
		if b.Users, err = broker.ParseUsers(f, o.users); err != nil {
			return b, usersError(err)
		}
	}
	if o.verbose > 0 {
		b.OnEvent = func(e broker.Event) {
			_ = write(env.Stderr, env.Now().Format("15:04:05.000 ")+oneLine(eventText(e))+"\n")
		}
	}
	return b, nil
}

// usersError makes wrong usage of a mistake in a users file.
func usersError(err error) error {
	var fe *broker.FileError
	if errors.As(err, &fe) {
		return &usageError{msg: fe.Error(), hints: fe.Hints()}
	}
	return err
}

// eventText describes what happened to a client.
func eventText(e broker.Event) string {
	var b strings.Builder
	who := e.ClientID
	if who == "" {
		who = e.Remote
	}
	fmt.Fprintf(&b, "%-11s %q", e.Kind, who)
	if e.Username != "" {
		fmt.Fprintf(&b, " user %q", e.Username)
	}
	if e.Kind == broker.Connected || e.Kind == broker.Refused && e.Topic == "" {
		fmt.Fprintf(&b, " from %s %s", e.Network, e.Remote)
	}
	if e.Topic != "" {
		fmt.Fprintf(&b, " %s q%d", e.Topic, e.QoS)
	}
	if e.Kind == broker.Published {
		fmt.Fprintf(&b, " %d bytes", e.Size)
	}
	if e.Detail != "" {
		fmt.Fprintf(&b, ": %s", e.Detail)
	}
	return b.String()
}

// runBroker runs the broker until ctx ends. Being told to stop is how a broker's work is done: that is success.
func runBroker(ctx context.Context, env *Env, o *brokerOptions) error {
	opts, err := o.build(env)
	if err != nil {
		return err
	}
	s, err := broker.Start(opts)
	if err != nil {
		return brokerError(err)
	}
	if err := write(env.Stdout, strings.Join(s.URLs(), " ")+"\n"); err != nil {
		return errors.Join(err, s.Close())
	}
	<-ctx.Done()
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		return err
	case <-time.After(5 * time.Second):
		return errors.New("the broker did not stop within 5s")
	}
}

// brokerError makes wrong usage of what the user can put right.
func brokerError(err error) error {
	var l *broker.ListenError
	if errors.As(err, &l) {
		return &failure{msg: l.Error(), err: err, hints: l.Hints()}
	}
	return err
}

// serverTLS is the TLS side of a listener that asks nobody for a certificate.
func serverTLS(cert, key string) (*tls.Config, error) {
	return tlsconf.ServerConfig(cert, key, "", false)
}
