package boltstore

import (
	"fmt"
	"runtime/debug"

	bolt "go.etcd.io/bbolt"
)

// brokenError tells that what is kept is not what was written.
type brokenError struct{ text string }

func (e *brokenError) Error() string { return e.text }

// guard makes an error of a panic. bbolt panics where a page of its file is not
// what it should be, and a page that is not there at all is a fault: somebody
// has damaged the file. That must not end a program that hosts more than this.
func guard(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if problem := recover(); problem != nil {
			err = &brokenError{fmt.Sprintf("the file is damaged: %v", problem)}
		}
	}()
	return do()
}

func view(db *bolt.DB, do func(*bolt.Tx) error) error {
	return guard(func() error { return db.View(do) })
}

func update(db *bolt.DB, do func(*bolt.Tx) error) error {
	return guard(func() error { return db.Update(do) })
}
