package packet

import "testing"

func TestDisconnect(t *testing.T) {
	for _, v := range []Version{V31, V311, V5} {
		roundTrip(t, v, &Disconnect{}, "e0 00")
	}
	roundTrip(t, V5, &Disconnect{ReasonCode: ReasonDisconnectWithWill}, "e0 01 04")
	roundTrip(t, V5, &Disconnect{Properties: Properties{0x11, 0, 0, 0, 9}}, "e0 07 00 05 1100000009")
	roundTrip(t, V5, &Disconnect{ReasonCode: ReasonServerMoved, Properties: Properties("\x1c\x00\x01h")}, "e0 06 9d 04 1c0001 68")

	refuses(t, V311, &Disconnect{ReasonCode: 4}, ErrProtocol, "Reason Code")
	refuses(t, V311, &Disconnect{Properties: Properties{0x11, 0, 0, 0, 9}}, ErrProtocol, "Properties")
	refuses(t, V5, &Disconnect{ReasonCode: ReasonBanned}, ErrProtocol, "Disconnect Reason Code") // [MQTT-3.14.2-1]
	refuses(t, V5, &Disconnect{Properties: Properties{0x23, 0, 1}}, ErrMalformed, "Topic Alias")
}
