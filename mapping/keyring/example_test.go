package keyring_test

import (
	"errors"
	"fmt"

	"vexa-sso/mapping/keyring"
)

// A ring is made once and kept in a file. What it sealed for one purpose opens for no other, and in no other
// place.
func Example() {
	file, err := keyring.Generate()
	if err != nil {
		fmt.Println(err)
		return
	}
	ring, err := keyring.Load(file)
	if err != nil {
		fmt.Println(err)
		return
	}
	place := []byte("account 7, key 3") // of the row that the sealed value is kept in
	sealed, err := ring.Seal(keyring.VexaKey, []byte("a Vexa key"), place)
	if err != nil {
		fmt.Println(err)
		return
	}

	opened, err := ring.Open(keyring.VexaKey, sealed, place)
	fmt.Printf("%s, %v\n", opened, err)
	_, err = ring.Open(keyring.ProviderToken, sealed, place)
	fmt.Println("for another purpose:", errors.Is(err, keyring.ErrNotSealedByThisRing))
	_, err = ring.Open(keyring.VexaKey, sealed, []byte("account 8, key 3"))
	fmt.Println("in another place:", errors.Is(err, keyring.ErrNotSealedByThisRing))
	// Output:
	// a Vexa key, <nil>
	// for another purpose: true
	// in another place: true
}
