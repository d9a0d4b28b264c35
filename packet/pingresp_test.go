package packet

import "testing"

func TestPingresp(t *testing.T) {
	for _, v := range []Version{V31, V311, V5} {
		roundTrip(t, v, &Pingresp{}, "d0 00")
	}
	refuses(t, 7, &Pingresp{}, ErrProtocol, "Protocol Version")
}
