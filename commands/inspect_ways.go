package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"

	"mq/connect"
	"mq/packet"
	"mq/tap"
)

func inspectReadCommand(env *Env) *command {
	f := &inspectFlags{}
	var file, keylog string
	cmd := &command{
		name: "inspect read", local: true, usage: "show the conversations in a capture file", args: "FILE [options]", operand: oneOperand(&file, "capture file"),
		about: "Reads pcap and pcapng files, plain or gzip, or standard input as \"-\", and shows every MQTT packet in them. TCP is " +
			"put together again, WebSocket and TLS (with --keylog, or with secrets in the file) are taken off, and MQTT is " +
			"recognised on any port.",
		example: []example{
			{"mq inspect read capture.pcapng", "one line a packet"},
			{"mq inspect read capture.pcapng --fail-on error", "exit status 5 if a rule of the standard is broken"},
			{"tcpdump -i lo -w - port 1883 | mq inspect read -", "as it happens"},
		},
	}
	cmd.options = append([]*option{keylogOption(&keylog)}, viewOptions(f)...)
	cmd.run = func(ctx context.Context) error { return runInspectRead(ctx, env, f, file, keylog) }
	return cmd
}

// oneOperand takes an argument that may come once.
func oneOperand(p *string, what string) func(string) error {
	return func(s string) error {
		if *p != "" {
			return usagef("a second %s, %q", what, s).hint("one at a time")
		}
		*p = s
		return nil
	}
}

func keylogOption(p *string) *option {
	return &option{group: groupTLS, name: "keylog", arg: "FILE", usage: "TLS secrets in NSS format, as --tls-keylog and SSLKEYLOGFILE write them", set: setString(p)}
}

func runInspectRead(ctx context.Context, env *Env, f *inspectFlags, file, keylog string) error {
	if file == "" {
		return usagef("which capture file?").hint("mq inspect read FILE, or - for standard input")
	}
	o := tap.ReadOptions{}
	if err := openKeyLog(&o, keylog); err != nil {
		return err
	}
	r := env.Stdin
	if file != "-" {
		c, err := os.Open(file)
		if err != nil {
			return usagef("capture file %q: %v", file, reasonOf(err)).hint("give a pcap or pcapng file, or - for standard input")
		}
		defer c.Close()
		r = c
	}
	return inspect(env, f, func(in *inspection) error { return tap.ReadCapture(ctx, r, o, in) })
}

func openKeyLog(o *tap.ReadOptions, file string) (err error) {
	if file == "" {
		return nil
	}
	if o.KeyLog, err = tap.OpenKeyLog(file); err != nil {
		if bad := (*tap.Error)(nil); errors.As(err, &bad) && bad.Err != nil {
			err = bad.Err // what it says before that is said here
		}
		return usagef("--keylog %q: %v", file, err)
	}
	return nil
}

// inspect runs a source into the views and judges what came.
func inspect(env *Env, f *inspectFlags, source func(*inspection) error) error {
	out := newLazyWriter(env.Stdout, env.StdoutTTY, env.Now)
	in, err := newInspection(env, f, out)
	if err != nil {
		return err
	}
	return quietPipe(errors.Join(in.finish(source(in)), out.Flush()))
}

func inspectDecodeCommand(env *Env) *command {
	f := &inspectFlags{tree: true}
	var words []string
	var file, version, from string
	cmd := &command{
		name: "inspect decode", local: true, usage: "explain bytes", args: "BYTES... [options]", operand: addString(&words),
		about: "Explains control packets given as hex digits, a hex dump or base64, as arguments, in a file, or on standard input.",
		example: []example{
			{"mq inspect decode 30 0d 00 0b 68 6f 6d 65 2f 68 65 61 74 65 72", "a PUBLISH"},
			{"xxd packet.bin | mq inspect decode --hex", "beside the bytes"},
		},
	}
	cmd.options = append([]*option{
		{group: groupMessage, name: "file", short: "f", arg: "FILE", usage: "explain the bytes of FILE, as they are", set: setString(&file)},
		{group: groupMessage, name: "protocol-version", short: "V", arg: "VERSION", usage: "31, 311 or 5, for packets without a CONNECT before them (default 311)", set: setOneOf(&version, "31", "311", "5")},
		{group: groupMessage, name: "from", arg: "SIDE", usage: "who sent them: client or server", set: setOneOf(&from, "client", "server")},
	}, slices.DeleteFunc(viewOptions(f), func(o *option) bool { return o.name == "no-summary" })...)
	cmd.run = func(context.Context) error { return runInspectDecode(env, f, words, file, version, from) }
	return cmd
}

func runInspectDecode(env *Env, f *inspectFlags, words []string, file, version, from string) error {
	data, err := decodeInput(env, words, file)
	if err != nil {
		return err
	}
	o := tap.BytesOptions{Version: map[string]packet.Version{"": packet.V311, "31": packet.V31, "311": packet.V311, "5": packet.V5}[version]}
	switch from {
	case "client":
		o.Direction = packet.ClientToServer
	case "server":
		o.Direction = packet.ServerToClient
	}
	out := newLazyWriter(env.Stdout, env.StdoutTTY, env.Now)
	return quietPipe(errors.Join(explain(env, f, data, o, out), out.Flush()))
}

func decodeInput(env *Env, words []string, file string) ([]byte, error) {
	switch {
	case file != "" && len(words) > 0:
		return nil, usagef("give bytes as arguments or with --file, not both")
	case file != "":
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, usagef("--file %q: %v", file, reasonOf(err))
		}
		return b, nil
	case len(words) == 0 && env.StdinTTY:
		return nil, usagef("which bytes?").hint("mq inspect decode c0 00, or give them on standard input")
	}
	text := strings.Join(words, " ")
	if len(words) == 0 {
		b, err := io.ReadAll(io.LimitReader(env.Stdin, 64<<20))
		if err != nil {
			return nil, &failure{msg: "read standard input: " + reasonOf(err).Error(), err: err}
		}
		text = string(b)
	}
	data, err := tap.ParseBytes(text)
	if err != nil {
		return nil, usageFrom(err)
	}
	return data, nil
}

// usageFrom makes wrong usage of an error, keeping its hints.
func usageFrom(err error) error { return &usageError{msg: err.Error(), hints: hintsOf(err)} }

// inspectProxyFlags are those of `mq inspect proxy`.
type inspectProxyFlags struct {
	listen, to string
	cert, key  string
	faults     []string
	seed       int
}

func inspectProxyCommand(env *Env) *command {
	f, p := &inspectFlags{}, &inspectProxyFlags{}
	conn := &connFlags{}
	cmd := &command{
		name: "inspect proxy", local: true, usage: "stand between clients and a broker and show what passes", args: "--listen ADDRESS --to URL [options]",
		about: "Forwards every connection byte for byte to the broker of --to and shows the packets, until it is interrupted. Prints " +
			"the address it listens on, for port 0 too, on standard error. With --fault it disturbs what passes, to see how a device copes.",
		example: []example{
			{"mq inspect proxy --listen :1884 --to mqtt://localhost:1883", "devices connect to port 1884"},
			{"mq inspect proxy --listen :1884 --to mqtt://broker --fault 'drop PUBACK 10%'", "with lost acknowledgements"},
		},
	}
	const g = groupConnection
	cmd.options = append([]*option{
		{group: g, name: "listen", arg: "ADDRESS", usage: "where clients connect: host:port, or :port", set: setString(&p.listen)},
		{group: g, name: "to", arg: "URL", usage: "the broker: mqtt://, mqtts://, ws://, wss:// or unix:///", set: setString(&p.to), secret: true},
		{group: g, name: "cafile", arg: "FILE", usage: "trust these CA certificates for the broker (PEM)", set: setString(&conn.tls.CAFile)},
		{group: g, name: "insecure", usage: "do not verify the broker's certificate; for tests only", set: setBool(&conn.tls.Insecure)},
		{group: g, name: "cert", arg: "FILE", usage: "certificate to show to clients, who then speak TLS (PEM)", set: setString(&p.cert)},
		{group: g, name: "key", arg: "FILE", usage: "private key of --cert (PEM)", set: setString(&p.key)},
		{group: "Faults", name: "fault", arg: "FAULT", usage: "a fault to inject: 'drop PUBACK 10%', 'delay PUBCOMP 2s', 'duplicate PUBLISH q1 1/20', 'cut after 5 PUBLISH', 'truncate PUBLISH 1%', 'reason PUBACK 0x97'; may be repeated", set: addString(&p.faults)},
		{group: "Faults", name: "seed", arg: "N", usage: "make faults that depend on chance repeatable", set: setInt(&p.seed, 0, 1<<30)},
	}, viewOptions(f)...)
	cmd.run = func(ctx context.Context) error { return runInspectProxy(ctx, env, f, p, conn) }
	return cmd
}

func runInspectProxy(ctx context.Context, env *Env, f *inspectFlags, p *inspectProxyFlags, conn *connFlags) error {
	if p.listen == "" || p.to == "" {
		return usagef("inspect proxy needs to know where to listen and where to forward to").hint("--listen :1884 --to mqtt://localhost:1883")
	}
	u, err := connect.ParseURL(p.to)
	if err != nil {
		if bad := (*connect.OptionError)(nil); errors.As(err, &bad) {
			return &usageError{msg: "--to: " + bad.Reason, hints: hintsOf(err)} // a URL may hold a password
		}
		return err
	}
	dial := connect.Options{Network: u.Network, Host: u.Host, Port: u.Port, SocketPath: u.SocketPath, Path: u.Path, Getenv: env.Getenv}
	if u.Network.Secure() {
		dial.TLS = conn.tls
	}
	proxy := tap.Proxy{ServerName: dial.Addr(), Seed: uint64(p.seed), Dial: func(ctx context.Context) (net.Conn, error) { return connect.Dial(ctx, dial) }}
	if p.cert != "" || p.key != "" {
		if proxy.ServerTLS, err = serverTLS(p.cert, p.key); err != nil {
			return err
		}
	}
	for _, text := range p.faults {
		rule, err := tap.ParseFault(text)
		if err != nil {
			return usageFrom(err)
		}
		proxy.Faults = append(proxy.Faults, rule)
	}
	if proxy.Listener, err = net.Listen("tcp", p.listen); err != nil {
		return &failure{msg: fmt.Sprintf("listen on %s: %v", p.listen, listenReason(err)), err: err, hints: []string{"choose another --listen, or port 0 for a free one"}}
	}
	fmt.Fprintf(env.Stderr, "listening on %s, forwarding to %s\n", proxy.Listener.Addr(), dial.Addr())
	return inspect(env, f, func(in *inspection) error {
		proxy.Sink = in
		return proxy.Serve(ctx)
	})
}

func listenReason(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		var sys *os.SyscallError
		if errors.As(op.Err, &sys) {
			return sys.Err
		}
		return op.Err
	}
	return err
}

func inspectLiveCommand(env *Env) *command {
	f := &inspectFlags{}
	var iface, keylog string
	var ports []uint16
	cmd := &command{
		name: "inspect live", local: true, usage: "watch a network interface", args: "[-i INTERFACE] [--port PORT...] [options]",
		about: "Shows the MQTT packets that pass a network interface as they happen, until it is interrupted. Linux only; it needs " +
			"the right to capture, which root has.",
		example: []example{{"sudo mq inspect live -i lo --port 1883", "what passes between programs of this machine"}},
	}
	cmd.options = append([]*option{
		{group: groupConnection, name: "interface", short: "i", arg: "NAME", usage: "network interface (default any)", set: setString(&iface)},
		{group: groupConnection, name: "port", short: "p", arg: "PORT", usage: "TCP port to watch; may be repeated (default: every port)", set: func(s string) error {
			var n int
			if err := setInt(&n, 1, 65535)(s); err != nil {
				return err
			}
			ports = append(ports, uint16(n))
			return nil
		}},
		keylogOption(&keylog),
	}, viewOptions(f)...)
	cmd.run = func(ctx context.Context) error {
		o := tap.LiveOptions{Interface: iface, Ports: slices.Clone(ports)}
		if err := openKeyLog(&o.Read, keylog); err != nil {
			return err
		}
		return inspect(env, f, func(in *inspection) error { return ended(ctx, tap.Live(ctx, o, in)) })
	}
	return cmd
}

// ended drops the error of a context that ended: watching until told to stop is what was asked for.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
