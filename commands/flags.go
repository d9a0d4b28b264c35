package commands

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"mq/connect"
	"mq/packet"
	"mq/tlsconf"
)

// The headings of the help, in its order.
const (
	groupMessage    = "Message"
	groupSubscribe  = "Subscription"
	groupOutput     = "Output"
	groupEnd        = "When to stop"
	groupConnection = "Connection"
	groupIdentity   = "Identity and session"
	groupWill       = "Will"
	groupTLS        = "TLS"
	groupListen     = "Listeners"
	groupAccess     = "Access"
	groupGeneral    = "General"
)

// connFlags is what the connection flags of every command that talks to a broker were set to.
type connFlags struct {
	host, url, unix, wsPath, bind, proxy string
	port                                 int
	ws, srv, nodelay                     bool
	headers                              []string
	connectTimeout, retryFor             time.Duration
	retry, noReconnect                   bool
	version                              string

	id, idPrefix, username, password, passwordFile string
	askPassword, keepSession                       bool
	keepAlive, inFlight                            int

	will        packet.Message
	willPayload string
	willQoS     int

	tls                             tlsconf.Options
	alpn                            []string
	noTLS                           bool
	passphraseFile                  string
	keyform                         string
	psk, pskIdentity, engine, kpass string

	v5 v5Flags

	options []*option // as declared, to see which were given
}

// v5Flags are the flags of MQTT 5, which this version of mq refuses in words.
type v5Flags struct {
	property, expiry string
}

// connOptions declares the connection flags. They mean the same in every command.
func connOptions(f *connFlags) []*option {
	f.keepAlive = connect.DefaultKeepAlive
	f.connectTimeout = connect.DefaultConnectTimeout
	groups := [][]*option{addressOptions(f), identityOptions(f), willOptions(f), tlsOptions(f)}
	for _, g := range groups {
		f.options = append(f.options, g...)
	}
	return f.options
}

func addressOptions(f *connFlags) []*option {
	const g = groupConnection
	return []*option{
		{group: g, name: "host", short: "h", arg: "HOST", usage: "name or address of the broker (default localhost)", set: setString(&f.host), rivals: []string{"url", "unix"}},
		{group: g, name: "port", short: "p", arg: "PORT", usage: "port (default 1883; 8883 with TLS, 80 and 443 with WebSocket); 8883 turns TLS on", set: setInt(&f.port, 0, 65535), rivals: []string{"url", "unix"}},
		{group: g, name: "url", short: "L", arg: "URL", usage: "broker as mqtt://user:password@host:port/topic, mqtts://, ws://host/path, wss:// or unix:///path", set: setString(&f.url), secret: true, rivals: []string{"host", "port", "unix"}},
		{group: g, name: "unix", arg: "PATH", usage: "connect to a Unix socket", set: setString(&f.unix), rivals: []string{"host", "port", "url"}},
		{group: g, name: "ws", usage: "use MQTT over WebSocket", set: setBool(&f.ws)},
		{group: g, name: "ws-path", arg: "PATH", usage: "path of the WebSocket (default /mqtt)", set: setString(&f.wsPath)},
		{group: g, name: "ws-header", arg: "NAME:VALUE", usage: "header of the WebSocket handshake; may be repeated", set: addString(&f.headers), secret: true},
		{group: g, name: "srv", short: "S", usage: "find the broker by the SRV record _mqtt._tcp.HOST", set: setBool(&f.srv)},
		{group: g, name: "bind", short: "A", arg: "ADDRESS", usage: "local address to connect from", set: setString(&f.bind)},
		{group: g, name: "proxy", arg: "URL", usage: "go through socks5h://, socks5://, http:// or https://; otherwise ALL_PROXY and NO_PROXY decide (ws and wss: HTTP_PROXY and HTTPS_PROXY too)", set: setString(&f.proxy), secret: true},
		{group: g, name: "connect-timeout", arg: "TIME", usage: "greatest time from the first DNS question to CONNACK (default 10s)", set: setDuration(&f.connectTimeout, time.Millisecond)},
		{group: g, name: "retry", usage: "try again until the first connection stands, at growing intervals", set: setBool(&f.retry)},
		{group: g, name: "retry-for", arg: "TIME", usage: "like --retry, but give up after TIME; also bounds reconnection", set: setDuration(&f.retryFor, time.Millisecond)},
		{group: g, name: "no-reconnect", usage: "end when the connection breaks", set: setBool(&f.noReconnect)},
		{group: g, name: "nodelay", usage: "accepted for mosquitto's sake: TCP_NODELAY is always on", set: setBool(&f.nodelay)},
		{group: g, name: "protocol-version", short: "V", arg: "VERSION", usage: "31 or 311, also mqttv31 and mqttv311 (default 311)", set: setString(&f.version)},
	}
}

func identityOptions(f *connFlags) []*option {
	const g = groupIdentity
	return []*option{
		{group: g, name: "id", short: "i", arg: "ID", usage: "client identifier (default mq- and random characters)", set: setString(&f.id), rivals: []string{"id-prefix"}},
		{group: g, name: "id-prefix", short: "I", arg: "PREFIX", usage: "client identifier made of PREFIX and the process id", set: setString(&f.idPrefix), rivals: []string{"id"}},
		{group: g, name: "username", short: "u", arg: "NAME", usage: "user name", set: setString(&f.username)},
		{group: g, name: "pw", short: "P", arg: "PASSWORD", usage: "password; other users of this machine can see it here, so prefer one of the next two, or MQ_PASSWORD", set: setString(&f.password), env: "MQ_PASSWORD", secret: true, rivals: []string{"password-file", "ask-password"}},
		{group: g, name: "password-file", arg: "FILE", usage: "read the password from the first line of FILE", set: setString(&f.passwordFile), rivals: []string{"pw", "ask-password"}},
		{group: g, name: "ask-password", usage: "ask for the password on the terminal", set: setBool(&f.askPassword), rivals: []string{"pw", "password-file"}},
		{group: g, name: "disable-clean-session", short: "c", usage: "keep the session on the broker; needs --id", set: setBool(&f.keepSession)},
		{group: g, name: "keepalive", short: "k", arg: "SECONDS", usage: "keep-alive interval, 0 turns it off (default 60)", set: setInt(&f.keepAlive, 0, 65535)},
		{group: g, name: "max-inflight", short: "M", arg: "N", usage: fmt.Sprintf("messages of QoS 1 and 2 on their way at once, 1 to 65535 (default %d, at QoS 2 %d)", connect.DefaultInFlight, connect.DefaultInFlight2), set: setInt(&f.inFlight, 1, 65535)},
		{group: g, name: "property", short: "D", arg: "COMMAND", usage: "MQTT 5 property; not supported by this version", set: setString(&f.v5.property)},
		{group: g, name: "session-expiry", short: "x", arg: "SECONDS", usage: "MQTT 5 session expiry interval; not supported by this version", set: setString(&f.v5.expiry)},
	}
}

func willOptions(f *connFlags) []*option {
	const g = groupWill
	return []*option{
		{group: g, name: "will-topic", arg: "TOPIC", usage: "topic of the message the broker publishes if this client vanishes", set: setString(&f.will.Topic)},
		{group: g, name: "will-payload", arg: "TEXT", usage: "payload of the will (default empty)", set: setString(&f.willPayload)},
		{group: g, name: "will-qos", arg: "QOS", usage: "QoS of the will, 0, 1 or 2 (default 0)", set: setInt(&f.willQoS, 0, 2)},
		{group: g, name: "will-retain", usage: "retain the will", set: setBool(&f.will.Retain)},
	}
}

func tlsOptions(f *connFlags) []*option {
	const g = groupTLS
	t := &f.tls
	return []*option{
		{group: g, name: "cafile", arg: "FILE", usage: "trust the CA certificates in FILE (PEM); turns TLS on", set: setString(&t.CAFile)},
		{group: g, name: "capath", arg: "DIR", usage: "trust the CA certificates in the files of DIR; turns TLS on", set: setString(&t.CAPath)},
		{group: g, name: "tls-use-os-certs", usage: "trust the operating system's CA certificates; turns TLS on", set: setBool(&t.UseOSCerts)},
		{group: g, name: "cert", arg: "FILE", usage: "client certificate (PEM); needs --key, turns TLS on", set: setString(&t.CertFile)},
		{group: g, name: "key", arg: "FILE", usage: "private key of --cert (PEM)", set: setString(&t.KeyFile)},
		{group: g, name: "key-passphrase-file", arg: "FILE", usage: "read the passphrase of an encrypted key from the first line of FILE; else MQ_KEY_PASSPHRASE, else it is asked for", set: setString(&f.passphraseFile)},
		{group: g, name: "tls-server-name", arg: "NAME", usage: "name to expect in the server's certificate instead of --host", set: setString(&t.ServerName)},
		{group: g, name: "insecure", usage: "do not verify the server's certificate; for tests only", set: setBool(&t.Insecure)},
		{group: g, name: "tls-alpn", arg: "NAME", usage: "offer this application protocol; may be repeated", set: addString(&f.alpn)},
		{group: g, name: "tls-version", arg: "VERSION", usage: "use exactly tlsv1.3, tlsv1.2 or tlsv1.1", set: setOneOf(&t.Version, "tlsv1.3", "tlsv1.2", "tlsv1.1")},
		{group: g, name: "ciphers", arg: "LIST", usage: "cipher suites of TLS 1.2 and below, by OpenSSL or IANA name, with colons between", set: setString(&t.Ciphers)},
		{group: g, name: "tls-keylog", arg: "FILE", usage: "append the session's secrets to FILE, for Wireshark (default SSLKEYLOGFILE)", set: setString(&t.KeyLogFile)},
		{group: g, name: "no-tls", usage: "no TLS, whatever the port or an options file says", set: setBool(&f.noTLS)},
		{group: g, name: "keyform", arg: "FORM", usage: "pem; engines are not supported", set: setString(&f.keyform)},
		{group: g, name: "psk", arg: "HEX", usage: "not supported: Go's TLS has no pre-shared keys", set: setString(&f.psk), secret: true},
		{group: g, name: "psk-identity", arg: "NAME", usage: "not supported, as --psk", set: setString(&f.pskIdentity)},
		{group: g, name: "tls-engine", arg: "ENGINE", usage: "not supported: engines belong to OpenSSL", set: setString(&f.engine)},
		{group: g, name: "tls-engine-kpass-sha1", arg: "HEX", usage: "not supported, as --tls-engine", set: setString(&f.kpass), secret: true},
	}
}

// given reports whether the option was set by any source.
func (f *connFlags) given(name string) bool { return f.source(name) != fromDefault }

// source returns where the value of an option came from.
func (f *connFlags) source(name string) source {
	for _, o := range f.options {
		if o.name == name {
			return o.source
		}
	}
	return fromDefault
}

// build makes connection options of the flags, and returns the topic of the URL if it has one. It reads the files and
// asks the questions that the flags name, and sends nothing.
func (f *connFlags) build(env *Env) (o connect.Options, topic string, err error) {
	o = connect.Options{Host: f.host, Port: f.port, SRV: f.srv, Path: f.wsPath, Bind: f.bind, Getenv: env.Getenv, ConnectTimeout: f.connectTimeout,
		KeepSession: f.keepSession, KeepAlive: f.keepAlive, InFlight: f.inFlight, Username: f.username}
	steps := []func(*Env, *connect.Options, *string) error{
		f.refuseUnsupported, f.setVersion, f.setAddress, f.setTLS, f.setIdentity, f.setPassword, f.setWill}
	for _, step := range steps {
		if err := step(env, &o, &topic); err != nil {
			return o, "", err
		}
	}
	if f.retry || f.retryFor > 0 {
		o.Retry = connect.RetryPolicy{Enabled: true, For: f.retryFor}
	}
	if !f.noReconnect {
		o.Reconnect = connect.RetryPolicy{Enabled: true, For: f.retryFor}
	}
	return o, topic, o.Validate()
}

func (f *connFlags) refuseUnsupported(*Env, *connect.Options, *string) error {
	const v5 = "needs MQTT 5, which this version of mq does not speak"
	for _, u := range []struct{ flag, why, hint string }{
		{"property", v5, ""}, {"session-expiry", v5, "-c keeps a session in MQTT 3.1.1"},
		{"psk", "Go's TLS has no pre-shared keys", "use certificates: --cafile, and --cert with --key"},
		{"psk-identity", "Go's TLS has no pre-shared keys", "use certificates: --cafile, and --cert with --key"},
		{"tls-engine", "engines belong to OpenSSL", "give the key as a file with --key"},
		{"tls-engine-kpass-sha1", "engines belong to OpenSSL", "give the key as a file with --key"},
	} {
		if f.given(u.flag) {
			e := usagef("--%s is not supported: %s", u.flag, u.why)
			if u.hint != "" {
				e.hints = []string{u.hint}
			}
			return e
		}
	}
	if f.keyform != "" && f.keyform != "pem" {
		return usagef("--keyform %q is not supported: keys are read from PEM files", f.keyform).hint("use --keyform pem, or leave it out")
	}
	return nil
}

func (f *connFlags) setVersion(_ *Env, o *connect.Options, _ *string) error {
	switch strings.TrimPrefix(strings.ToLower(f.version), "mqttv") {
	case "", "311", "3.1.1":
		o.Version = packet.V311
	case "31", "3.1":
		o.Version = packet.V31
	case "5", "50", "5.0":
		o.Version = packet.V5
	default:
		return usagef("--protocol-version %q: want 31 or 311", f.version)
	}
	return nil
}

func (f *connFlags) setAddress(_ *Env, o *connect.Options, topic *string) error {
	o.Network = connect.TCP
	if strings.ContainsAny(f.host, "@/") {
		return usagef("--host takes a name or an address, not a URL").hint("give a URL with --url")
	}
	if host, port, ok := strings.Cut(f.host, ":"); ok && !strings.Contains(port, ":") {
		return usagef("--host %q: the port has an option of its own", cut(f.host)).hint("--host %s --port %s", cut(host), cut(port))
	}
	if f.url != "" {
		u, err := connect.ParseURL(f.url)
		if err != nil {
			return err
		}
		f.applyURL(o, u)
		*topic = u.Topic
	}
	if f.unix != "" {
		if f.given("host") || f.given("port") || f.ws || f.url != "" {
			return usagef("--unix goes without --host, --port, --url and --ws: a socket is an address of its own").hint("leave one of them out")
		}
		o.Network, o.SocketPath = connect.Unix, f.unix
	}
	if f.ws && o.Network == connect.TCP {
		o.Network = connect.WS
	}
	if f.ws && o.Network == connect.TLS {
		o.Network = connect.WSS
	}
	if f.proxy != "" {
		p, err := connect.ParseProxy(f.proxy)
		if err != nil {
			return err
		}
		o.Proxy = p
	}
	return f.setHeaders(o)
}

// applyURL lets --host, --port, --username and the passwords overrule the parts of the URL.
func (f *connFlags) applyURL(o *connect.Options, u *connect.URL) {
	o.Network, o.SocketPath = u.Network, u.SocketPath
	if o.Host == "" {
		o.Host = u.Host
	}
	if o.Port == 0 {
		o.Port = u.Port
	}
	if o.Path == "" {
		o.Path = u.Path
	}
	if !f.given("username") {
		o.Username = u.Username
	}
	if u.HasPassword && !f.given("pw") && !f.given("password-file") && !f.given("ask-password") {
		o.Password = u.Password
	}
}

func (f *connFlags) setHeaders(o *connect.Options) error {
	webSocket := o.Network == connect.WS || o.Network == connect.WSS
	if !webSocket && (len(f.headers) > 0 || f.wsPath != "") {
		return usagef("--ws-path and --ws-header need WebSocket").hint("add --ws, or give --url ws://HOST/PATH")
	}
	for _, h := range f.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok || name == "" {
			return usagef("--ws-header: want NAME:VALUE").hint("for example --ws-header 'Authorization: Bearer TOKEN'")
		}
		if o.Header == nil {
			o.Header = make(http.Header)
		}
		o.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return nil
}

// setTLS decides whether the connection is encrypted: by the scheme of the URL, by a flag that names what to trust, or
// by port 8883.
func (f *connFlags) setTLS(env *Env, o *connect.Options, _ *string) error {
	wanted := o.Network.Secure() || f.tls.CAFile != "" || f.tls.CAPath != "" || f.tls.UseOSCerts || f.tls.CertFile != "" || f.tls.KeyFile != "" || o.Port == 8883
	switch {
	case f.noTLS && o.Network.Secure():
		return usagef("--no-tls contradicts the URL").hint("write mqtt:// or ws://, or leave --no-tls out")
	case f.noTLS:
		return nil
	case wanted && o.Network == connect.Unix:
		return usagef("TLS is not used on a Unix socket").hint("leave the TLS flags out")
	case wanted && o.Network == connect.TCP:
		o.Network = connect.TLS
	case wanted && o.Network == connect.WS:
		o.Network = connect.WSS
	case !wanted:
		for _, name := range []string{"insecure", "tls-alpn", "tls-version", "tls-server-name", "ciphers", "tls-keylog"} {
			if f.given(name) {
				return usagef("--%s has no effect: the connection is not encrypted", name).hint("turn TLS on with --tls-use-os-certs, --cafile FILE or an mqtts:// URL")
			}
		}
		return nil
	}
	o.TLS = f.tls
	o.TLS.ALPN = f.alpn
	o.TLS.Passphrase = func(file string) ([]byte, error) { return f.askPassphrase(env, file) }
	if o.TLS.KeyLogFile == "" {
		o.TLS.KeyLogFile = env.Getenv("SSLKEYLOGFILE")
	}
	return nil
}

func (f *connFlags) askPassphrase(env *Env, file string) ([]byte, error) {
	if f.passphraseFile != "" {
		s, err := firstLine("key-passphrase-file", f.passphraseFile)
		return []byte(s), err
	}
	if s := env.Getenv("MQ_KEY_PASSPHRASE"); s != "" {
		return []byte(s), nil
	}
	if !env.StdinTTY && !env.StderrTTY {
		return nil, usagef("there is no terminal to ask on").hint("give --key-passphrase-file FILE or MQ_KEY_PASSPHRASE")
	}
	s, err := env.ReadSecret(fmt.Sprintf("passphrase of %s: ", file))
	return []byte(s), err
}

func (f *connFlags) setIdentity(env *Env, o *connect.Options, _ *string) error {
	for _, t := range []struct{ flag, text string }{{"id", f.id}, {"id-prefix", f.idPrefix}, {"username", o.Username}} {
		if err := checkText(t.flag, t.text); err != nil {
			return err
		}
	}
	switch {
	case f.given("id") && f.given("id-prefix"):
		return usagef("--id and --id-prefix exclude each other").hint("leave one of them out")
	case f.given("id"):
		o.ClientID = f.id
	case f.keepSession:
		return usagef("--disable-clean-session needs a client identifier: the broker keeps the session under it").hint("add --id NAME, the same name each time")
	case f.given("id-prefix"):
		o.ClientID = f.idPrefix + strconv.Itoa(env.Pid)
	default:
		o.ClientID = randomID()
	}
	return nil
}

// randomID returns an identifier that every 3.1.1 server must accept: at most 23 letters and digits [MQTT-3.1.3-5], and
// a hyphen, which all do.
func randomID() string {
	const letters = "0123456789abcdefghijklmnopqrstuvwxyz"
	id := []byte("mq-")
	for range 16 {
		id = append(id, letters[rand.IntN(len(letters))])
	}
	return string(id)
}

func (f *connFlags) setPassword(env *Env, o *connect.Options, _ *string) error {
	switch {
	case f.passwordFile != "":
		s, err := firstLine("password-file", f.passwordFile)
		if err != nil {
			return err
		}
		o.Password = connect.Secret(s)
	case f.askPassword:
		if !env.StdinTTY && !env.StderrTTY {
			return usagef("--ask-password: there is no terminal to ask on").hint("use --password-file FILE or MQ_PASSWORD")
		}
		s, err := env.ReadSecret(fmt.Sprintf("password of %s: ", o.Username))
		if err != nil {
			return fmt.Errorf("--ask-password: %w", err)
		}
		o.Password = connect.Secret(s)
	case f.given("pw"):
		o.Password = connect.Secret(f.password)
	}
	return nil
}

// firstLine reads a secret from a file.
func firstLine(flag, file string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", usagef("--%s %q: %v", flag, file, reasonOf(err))
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) == 0 {
		return "", usagef("--%s %q: its first line is empty", flag, file)
	}
	return string(line), nil
}

func (f *connFlags) setWill(_ *Env, o *connect.Options, _ *string) error {
	if f.given("will-topic") {
		if err := checkText("will-topic", f.will.Topic); err != nil {
			return err
		}
		w := f.will
		w.Payload, w.QoS = []byte(f.willPayload), packet.QoS(f.willQoS)
		o.Will = &w
		return nil
	}
	for _, name := range []string{"will-payload", "will-qos", "will-retain"} {
		if f.given(name) {
			return usagef("--%s needs --will-topic", name).hint("add --will-topic TOPIC, or leave --%s out", name)
		}
	}
	return nil
}
