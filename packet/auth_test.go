package packet

import "testing"

func TestAuth(t *testing.T) {
	roundTrip(t, V5, &Auth{ReasonCode: ReasonContinueAuthentication, Properties: Properties("\x15\x00\x01m\x16\x00\x02\x00\xff")}, "f0 0b 18 09 150001 6d 160002 00ff")
	roundTrip(t, V5, &Auth{Properties: Properties("\x15\x00\x01m")}, "f0 06 00 04 150001 6d")
	roundTrip(t, V5, &Auth{}, "f0 00")

	refuses(t, V5, &Auth{ReasonCode: ReasonReauthenticate}, ErrProtocol, "Authentication Method")
	refuses(t, V5, &Auth{ReasonCode: 0x80, Properties: Properties("\x15\x00\x01m")}, ErrProtocol, "Authenticate Reason Code") // [MQTT-3.15.2-1]
	refuses(t, V311, &Auth{}, ErrProtocol, "Control Packet Type")
	refuses(t, V311, &Auth{Properties: Properties("\x15\x00\x01m")}, ErrProtocol, "Properties")
}
