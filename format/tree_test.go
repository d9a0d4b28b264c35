package format

import (
	"testing"

	"mq/packet"
)

// treePackets are packets that between them use every kind of field.
func treePackets(t *testing.T) map[string][]byte {
	t.Helper()
	var pb packet.PropertyBuilder
	pb.Uint(packet.PropSessionExpiryInterval, 60).User("unit", "°C\x1b[31m")
	props, err := pb.Properties()
	if err != nil {
		t.Fatal(err)
	}
	connect := packet.Connect{ClientID: "sensor-7", CleanStart: true, KeepAlive: 60, Properties: props,
		HasUserName: true, UserName: "heater", HasPassword: true, Password: []byte("hunter2"),
		Will: &packet.Will{Topic: "home/heater/gone", Payload: []byte("1"), QoS: 1}}
	c, err := connect.Append(nil, packet.V5)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		"connect":   c,
		"publish":   []byte("\x34\x13\x00\x0bhome/heater\x00\x0121.5"),
		"malformed": []byte("\x36\x05\x00\x09abc"),
	}
}

func TestTree(t *testing.T) {
	for name, raw := range treePackets(t) {
		t.Run(name, func(t *testing.T) {
			a := packet.Annotate(raw, packet.V311, packet.ClientToServer)
			golden(t, "tree_"+name+".txt", string(AppendTree(nil, a, TreeOptions{Offset: 7})))
			golden(t, "hex_"+name+".txt", string(AppendTree(nil, a, TreeOptions{Hex: true, Raw: raw})))
			golden(t, "hex_"+name+"_color.txt", string(AppendTree(nil, a, TreeOptions{Hex: true, Raw: raw, ShowSecrets: true, Palette: NewPalette(true)})))
		})
	}
}
