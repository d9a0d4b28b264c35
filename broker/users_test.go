package broker

import (
	"errors"
	"strings"
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"
	"golang.org/x/crypto/bcrypt"
)

func parseUsers(t *testing.T, text string) *Users {
	t.Helper()
	u, err := ParseUsers(strings.NewReader(text), "users")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestParseUsersErrors(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"unknown word", "# x\n\nallow a", `users:3: unknown word "allow", want user, read, write, readwrite or deny`},
		{"mosquitto line", "heater:$7$101$abc", `users:1: want user, read, write, readwrite or deny; a line of a mosquitto password file is written "user NAME PASSWORD" here`},
		{"no password", "user heater", "users:1: want user NAME PASSWORD"},
		{"twice", "user a b\nuser a c", `users:2: user "a" is there already`},
		{"foreign hash", "user a $7$101$xyz", `users:1: user "a": hashes of mosquitto_passwd cannot be read, want a bcrypt hash or the password`},
		{"short bcrypt", "user a $2y$10$xyz", `users:1: user "a": the bcrypt hash is not complete`},
		{"open quote", `user a "xyz`, `users:1: user "a": the quoted password does not end, or has an unknown escape`},
		{"no filter", "user a b\nread", `users:2: read "": want a topic filter`},
		{"bad filter", "write a/#/b", `users:1: write "a/#/b": + and # must fill a level, and # must be the last one`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseUsers(strings.NewReader(tt.text), "users")
			var fe *FileError
			if !errors.As(err, &fe) || err.Error() != tt.want || len(fe.Hints()) == 0 {
				t.Fatalf("got  %v\nwant %v", err, tt.want)
			}
			if strings.Contains(err.Error(), "xyz") || strings.Contains(err.Error(), "$7$") {
				t.Fatal("the error shows a password")
			}
		})
	}
}

func TestCovers(t *testing.T) {
	for _, tt := range []struct {
		filter, sub string
		want        bool
	}{
		{"a/b", "a/b", true}, {"a/b", "a/c", false}, {"a/b", "a", false}, {"a", "a/b", false},
		{"a/+", "a/b", true}, {"a/+", "a/b/c", false}, {"a/+", "a/+", true}, {"a/+", "a/#", false}, {"+/b", "a/b", true},
		{"a/#", "a", true}, {"a/#", "a/b/c", true}, {"a/#", "a/#", true}, {"a/#", "a/+/x", true}, {"a/#", "b", false},
		{"#", "a/b", true}, {"#", "#", true}, {"+", "#", false}, {"a/b", "a/+", false},
		{"#", "$SYS/x", false}, {"+/x", "$SYS/x", false}, {"$SYS/#", "$SYS/x", true}, {"/a", "/a", true}, {"+/a", "/a", true},
	} {
		if got := covers(tt.filter, tt.sub); got != tt.want {
			t.Errorf("covers(%q, %q) = %v", tt.filter, tt.sub, got)
		}
	}
}

func TestACL(t *testing.T) {
	u := parseUsers(t, `
read news/#
deny news/draft
user admin a
user heater h
write home/%u/#
read cmd/%c/+
deny home/heater/secret
user guarded g
deny top/%c/secret
`)
	for _, tt := range []struct {
		user, id         string
		read, write, sub string
		noRead, noWrite  string
		noSub            string
	}{
		{user: "", id: "x", read: "news/a", sub: "news/#", noRead: "news/draft", noWrite: "news/a", noSub: "#"},
		{user: "admin", id: "x", read: "home/a", write: "x", sub: "#", noRead: "news/draft", noWrite: "news/draft", noSub: "news/draft"},
		{user: "heater", id: "h1", read: "cmd/h1/on", write: "home/heater/t", sub: "$share/g/cmd/h1/+", noRead: "cmd/h2/on", noWrite: "home/heater/secret", noSub: "cmd/+/on"},
		{user: "heater", id: "+", read: "news/a", write: "home/heater/t", sub: "news/a", noRead: "cmd/h1/on", noWrite: "cmd/+/a", noSub: "cmd/+/+"},
		{user: "guarded", id: "a/b", read: "other", write: "other", sub: "#", noRead: "top/a/b/secret", noWrite: "top/a/b/secret", noSub: "top/#"},
	} {
		a := u.aclFor(tt.user, tt.id)
		if !a.canRead(tt.read) || !a.canSubscribe(tt.sub) || tt.write != "" && !a.canWrite(tt.write) {
			t.Errorf("%q as %q: something is refused: read %v, subscribe %v, write %v", tt.user, tt.id,
				a.canRead(tt.read), a.canSubscribe(tt.sub), a.canWrite(tt.write))
		}
		if a.canRead(tt.noRead) || a.canWrite(tt.noWrite) || a.canSubscribe(tt.noSub) {
			t.Errorf("%q as %q: something is allowed: read %v, write %v, subscribe %v", tt.user, tt.id,
				a.canRead(tt.noRead), a.canWrite(tt.noWrite), a.canSubscribe(tt.noSub))
		}
	}
}

func TestAnonymousAllows(t *testing.T) {
	users := parseUsers(t, "user a b")
	rules := parseUsers(t, "read #")
	for _, tt := range []struct {
		rule            Anonymous
		network, remote string
		users           *Users
		want            bool
	}{
		{AnonymousAuto, "tcp", "127.0.0.1:5", nil, true},
		{AnonymousAuto, "tcp", "127.8.9.1:5", rules, true},
		{AnonymousAuto, "tls", "[::1]:5", nil, true},
		{AnonymousAuto, "ws", "[::ffff:127.0.0.1]:5", nil, true},
		{AnonymousAuto, "unix", "", nil, true},
		{AnonymousAuto, "tcp", "192.0.2.7:5", nil, false},
		{AnonymousAuto, "tcp", "[fe80::1%eth0]:5", nil, false},
		{AnonymousAuto, "tcp", "nonsense", nil, false},
		{AnonymousAuto, "tcp", "127.0.0.1:5", users, false},
		{AnonymousAlways, "tcp", "192.0.2.7:5", users, true},
		{AnonymousNever, "unix", "", nil, false},
	} {
		if got := tt.rule.allows(tt.network, tt.remote, tt.users); got != tt.want {
			t.Errorf("%v %s %s: %v", tt.rule, tt.network, tt.remote, got)
		}
	}
}

func TestAuthentication(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("right"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	users := parseUsers(t, "user plain right\nwrite out/#\nuser quoted \" right \"\nuser hashed "+string(hash))
	s := startBroker(t, Options{Users: users})
	for _, tt := range []struct {
		name, user, password string
		v3, v5               byte
	}{
		{"plain", "plain", "right", 0, 0},
		{"plain wrong", "plain", "wrong", 4, 0x86},
		{"plain empty", "plain", "", 4, 0x86},
		{"quoted", "quoted", " right ", 0, 0},
		{"bcrypt", "hashed", "right", 0, 0},
		{"bcrypt wrong", "hashed", "wrong", 4, 0x86},
		{"unknown", "nobody", "right", 4, 0x86},
		{"anonymous", "", "", 5, 0x87},
	} {
		for version, want := range map[byte]byte{4: tt.v3, 5: tt.v5} {
			c := dialRaw(t, s, version)
			ack := c.connect("c", true, func(pk *packets.Packet) {
				pk.Connect.UsernameFlag, pk.Connect.Username = tt.user != "", []byte(tt.user)
				pk.Connect.PasswordFlag, pk.Connect.Password = tt.user != "", []byte(tt.password)
			})
			if ack.ReasonCode != want {
				t.Errorf("%s, version %d: CONNACK 0x%02x, want 0x%02x", tt.name, version, ack.ReasonCode, want)
			}
			if want != 0 {
				c.expectClosed()
			}
		}
	}
}

func TestConnackCodesBefore5(t *testing.T) {
	s := startBroker(t, Options{})
	c := dialRaw(t, s, 4)
	if ack := c.connect("", false, nil); ack.ReasonCode != 2 {
		t.Errorf("no identifier, no clean session: code %d, want 2", ack.ReasonCode)
	}
	for _, tt := range []struct{ code, want byte }{{0, 0}, {0x84, 1}, {0x85, 2}, {0x86, 4}, {0x87, 5}, {0x88, 3}, {0x97, 3}} {
		if got := connackCode(4, tt.code); got != tt.want {
			t.Errorf("0x%02x became %d, want %d", tt.code, got, tt.want)
		}
	}
}

func TestAuthorization(t *testing.T) {
	refused := make(chan Event, 10)
	s := startBroker(t, Options{Users: parseUsers(t, "readwrite ok/#\nread #\ndeny no"), OnEvent: func(e Event) {
		if e.Kind == Refused {
			refused <- e
		}
	}})
	type codes struct{ suback, qos1, qos2 byte }
	for version, want := range map[byte]codes{4: {suback: 0x80}, 5: {0x87, 0x87, 0x87}} {
		c := dialRaw(t, s, version)
		c.connect("c", true, nil)
		if ack := c.subscribe(1, "no", 1); ack.ReasonCodes[0] != want.suback {
			t.Errorf("version %d: SUBACK 0x%02x", version, ack.ReasonCodes[0])
		}
		if ack := c.subscribe(2, "#", 1); ack.ReasonCodes[0] != 1 {
			t.Errorf("version %d: SUBACK of # 0x%02x", version, ack.ReasonCodes[0])
		}
		c.publish(0, "other", 0, "denied")
		c.publish(3, "other", 1, "denied")
		if ack := c.expect(packets.Puback); ack.ReasonCode != want.qos1 {
			t.Errorf("version %d: PUBACK 0x%02x", version, ack.ReasonCode)
		}
		c.publish(4, "other", 2, "denied")
		if ack := c.expect(packets.Pubrec); ack.ReasonCode != want.qos2 {
			t.Errorf("version %d: PUBREC 0x%02x", version, ack.ReasonCode)
		}
		if version == 4 {
			c.ack(packets.Pubrel, 4)
			c.expect(packets.Pubcomp)
		}
		c.publish(0, "ok/1", 0, "allowed") // the first message to arrive
		if pk := c.expect(packets.Publish); string(pk.Payload) != "allowed" {
			t.Errorf("version %d: got %q", version, pk.Payload)
		}
		for _, topic := range []string{"no", "other", "other", "other"} {
			if e := <-refused; e.Topic != topic || e.Code < 0x80 {
				t.Errorf("version %d: %+v", version, e)
			}
		}
		will := dialRaw(t, s, version)
		if ack := will.connect("w", true, func(pk *packets.Packet) {
			pk.Connect.WillFlag, pk.Connect.WillTopic, pk.Connect.WillPayload = true, "other", []byte("x")
		}); ack.ReasonCode != connackCode(version, 0x87) {
			t.Errorf("version %d: CONNACK for a denied will 0x%02x", version, ack.ReasonCode)
		}
		<-refused
	}
}

func TestTopicAliasDoesNotEvadeACL(t *testing.T) {
	s := startBroker(t, Options{Users: parseUsers(t, "write ok\nread #")})
	c := dialRaw(t, s, 5)
	c.connect("c", true, nil)
	send := func(topic string, id uint16) byte {
		c.send(packets.Packet{
			FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1}, PacketID: id, TopicName: topic,
			Properties: packets.Properties{TopicAlias: 1, TopicAliasFlag: true},
		})
		return c.expect(packets.Puback).ReasonCode
	}
	if got := []byte{send("ok", 1), send("", 2), send("no", 3), send("", 4)}; string(got) != "\x00\x00\x87\x87" {
		t.Fatalf("PUBACKs % x", got)
	}
}
