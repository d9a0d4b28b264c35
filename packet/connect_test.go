package packet

import (
	"strings"
	"testing"
)

func TestConnect(t *testing.T) {
	roundTrip(t, V311, &Connect{Version: V311, CleanStart: true, KeepAlive: 60, ClientID: "id"},
		"10 0e 0004 4d515454 04 02 003c 0002 6964")
	roundTrip(t, V31, &Connect{Version: V31, KeepAlive: 1, ClientID: "id"},
		"10 10 0006 4d5149736470 03 00 0001 0002 6964")
	roundTrip(t, V311, &Connect{Version: V311, Bridge: true, ClientID: "id"}, "10 0e 0004 4d515454 84 00 0000 0002 6964")
	roundTrip(t, V5, &Connect{
		Version: V5, CleanStart: true, KeepAlive: 10, ClientID: "c",
		Properties: props(t, func(b *PropertyBuilder) { b.Uint(PropSessionExpiryInterval, 5) }),
		Will: &Will{
			Topic: "w", Payload: []byte{0xff}, QoS: ExactlyOnce, Retain: true,
			Properties: props(t, func(b *PropertyBuilder) { b.Uint(PropWillDelayInterval, 7) }),
		},
		HasUserName: true, UserName: "u", HasPassword: true, Password: []byte{0},
	}, "10 25 0004 4d515454 05 f6 000a 05 1100000005 0001 63 05 1800000007 0001 77 0001 ff 0001 75 0001 00")
}

func TestConnectRefuses(t *testing.T) {
	long := strings.Repeat("x", MaxStringLen+1)
	ok := func() *Connect { return &Connect{CleanStart: true, ClientID: "id"} }
	for name, c := range map[string]struct {
		v        Version
		edit     func(*Connect)
		sentinel error
		field    string
	}{
		"long client identifier":       {V5, func(p *Connect) { p.ClientID = long }, ErrTooLarge, "Client Identifier"},
		"long user name":               {V311, func(p *Connect) { p.UserName, p.HasUserName = long, true }, ErrTooLarge, "User Name"},
		"long password":                {V5, func(p *Connect) { p.Password, p.HasPassword = []byte(long), true }, ErrTooLarge, "Password"},
		"long will topic":              {V5, func(p *Connect) { p.Will = &Will{Topic: long} }, ErrTooLarge, "Will Topic"},
		"long will payload":            {V5, func(p *Connect) { p.Will = &Will{Topic: "w", Payload: []byte(long)} }, ErrTooLarge, "Will Payload"},
		"user name without its flag":   {V5, func(p *Connect) { p.UserName = "u" }, ErrProtocol, "User Name"},
		"password without its flag":    {V5, func(p *Connect) { p.Password = []byte("p") }, ErrProtocol, "Password"},
		"will QoS 3":                   {V5, func(p *Connect) { p.Will = &Will{Topic: "w", QoS: 3} }, ErrMalformed, "Will QoS"},
		"will QoS that spills":         {V5, func(p *Connect) { p.Will = &Will{Topic: "w", QoS: 8} }, ErrMalformed, "Will QoS"},
		"properties before 5.0":        {V311, func(p *Connect) { p.Properties = Properties{0x19, 1} }, ErrProtocol, "Properties"},
		"will properties before 5.0":   {V311, func(p *Connect) { p.Will = &Will{Topic: "w", Properties: Properties{1, 1}} }, ErrProtocol, "Properties"},
		"another version":              {V311, func(p *Connect) { p.Version = V5 }, ErrProtocol, "Protocol Level"},
		"no version":                   {0, func(*Connect) {}, ErrProtocol, "Protocol Version"},
		"version 6":                    {6, func(*Connect) {}, ErrProtocol, "Protocol Version"},
		"bridge of 5.0":                {V5, func(p *Connect) { p.Bridge = true }, ErrProtocol, "Protocol Version"},
		"no UTF-8":                     {V5, func(p *Connect) { p.ClientID = "\xff" }, ErrMalformed, "Client Identifier"},
		"wildcard in will topic":       {V311, func(p *Connect) { p.Will = &Will{Topic: "a/#"} }, ErrMalformed, "Will Topic"},
		"empty will topic":             {V311, func(p *Connect) { p.Will = &Will{} }, ErrMalformed, "Will Topic"},
		"empty client identifier":      {V311, func(p *Connect) { p.ClientID, p.CleanStart = "", false }, ErrProtocol, "Client Identifier"},
		"password without user name":   {V311, func(p *Connect) { p.HasPassword = true }, ErrProtocol, "Password Flag"},
		"properties that are not":      {V5, func(p *Connect) { p.Properties = Properties{0xff} }, ErrMalformed, "Property Identifier"},
		"property of another packet":   {V5, func(p *Connect) { p.Properties = Properties{0x24, 1} }, ErrMalformed, "Maximum QoS"},
		"will property in the packet":  {V5, func(p *Connect) { p.Properties = Properties{0x01, 1} }, ErrMalformed, "Payload Format Indicator"},
		"packet property in the will":  {V5, func(p *Connect) { p.Will = &Will{Topic: "w", Properties: Properties{0x19, 1}} }, ErrMalformed, "Request Response Information"},
		"authentication data and only": {V5, func(p *Connect) { p.Properties = Properties{0x16, 0, 0} }, ErrProtocol, "Authentication Data"},
	} {
		t.Run(name, func(t *testing.T) {
			p := ok()
			c.edit(p)
			refuses(t, c.v, p, c.sentinel, c.field)
		})
	}
}

func TestConnectSecrets(t *testing.T) {
	p := &Connect{
		CleanStart: true, ClientID: "id", HasUserName: true, UserName: "user", HasPassword: true, Password: []byte("hunter2"),
		Properties: Properties("\x15\x00\x01m\x16\x00\x03key"),
	}
	b, err := p.Append(nil, V5)
	if err != nil {
		t.Fatal(err)
	}
	secret := map[string]bool{}
	var walk func([]Field)
	walk = func(fields []Field) {
		for _, f := range fields {
			if f.Secret {
				secret[string(f.Bytes)] = true
			}
			walk(f.Fields)
		}
	}
	walk(Annotate(b, V5, ClientToServer).Fields)
	if len(secret) != 2 || !secret["hunter2"] || !secret["key"] {
		t.Errorf("secret are %v", secret)
	}
}

func TestConnectPasswordOfErrors(t *testing.T) {
	p := &Connect{CleanStart: true, ClientID: "\xff", HasUserName: true, HasPassword: true, Password: []byte("hunter2")}
	if _, err := p.Append(nil, V5); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error %v", err)
	}
}
