package packet_test

import (
	"fmt"

	"mq/packet"
)

// A stream arrives in pieces; packets come out whole.
func ExampleFramer() {
	var f packet.Framer
	for _, chunk := range []string{"\x30\x06\x00", "\x03a/b!\xc0", "\x00"} {
		f.Feed([]byte(chunk))
		for {
			raw, err := f.Next()
			if err != nil {
				break // packet.ErrTruncated: feed more
			}
			p, _, err := packet.Decode(raw, packet.V311)
			fmt.Printf("%v %T %v\n", p.Type(), p, err)
		}
	}
	// Output:
	// PUBLISH *packet.Publish <nil>
	// PINGREQ *packet.Pingreq <nil>
}

// What is wrong with a packet, for the version of its connection.
func ExampleLint() {
	b := []byte("\x38\x07\x00\x03a/#\x00!")
	for _, f := range packet.Lint(b, packet.V5, packet.ClientToServer) {
		fmt.Printf("%v [%s] bytes %d to %d: %s (answer %v)\n", f.Severity, f.Rule, f.Start, f.End, f.Text, f.Code)
	}
	// Output:
	// error [MQTT-3.3.1-2] bytes 0 to 1: DUP is 0 at QoS 0 (answer malformed packet)
	// error [MQTT-3.3.2-2] bytes 4 to 7: a topic name has no wildcards (answer malformed packet)
}

// Properties are built in order and read in order.
func ExamplePropertyBuilder() {
	var b packet.PropertyBuilder
	props, err := b.Uint(packet.PropMessageExpiryInterval, 60).User("unit", "celsius").Properties()
	if err != nil {
		fmt.Println(err)
	}
	for p := range props.All() {
		fmt.Printf("%v %d %s=%s\n", p.ID, p.Uint, p.Bytes, p.Value)
	}
	// Output:
	// Message Expiry Interval 60 =
	// User Property 0 unit=celsius
}
