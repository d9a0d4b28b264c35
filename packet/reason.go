package packet

import "fmt"

// ReturnCode is the code of a 3.1 or 3.1.1 CONNACK (section 3.2.2.3 of 3.1.1).
type ReturnCode byte

// The CONNACK return codes of 3.1 and 3.1.1.
const (
	Accepted              ReturnCode = 0
	UnacceptableVersion   ReturnCode = 1
	IdentifierRejected    ReturnCode = 2
	ServerUnavailable     ReturnCode = 3
	BadUserNameOrPassword ReturnCode = 4
	NotAuthorized         ReturnCode = 5
)

var returnCodeNames = [...]string{
	Accepted:              "connection accepted",
	UnacceptableVersion:   "unacceptable protocol version",
	IdentifierRejected:    "client identifier rejected",
	ServerUnavailable:     "server unavailable",
	BadUserNameOrPassword: "bad user name or password",
	NotAuthorized:         "not authorized",
}

// String returns the words of c, or "return code n" for a value the specification reserves.
func (c ReturnCode) String() string {
	if int(c) < len(returnCodeNames) {
		return returnCodeNames[c]
	}
	return fmt.Sprintf("return code %d", byte(c))
}

// SubackFailure is the return code of a 3.1.1 SUBACK for a topic filter the server refused (section 3.9.3).
const SubackFailure byte = 0x80
