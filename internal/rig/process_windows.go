package rig

import "errors"

var errSignals = errors.New("rig: this system has no signals")

func suspend(int) error { return errSignals }
func resume(int) error  { return errSignals }
func kill(int) error    { return errSignals }
func alive(int) bool    { return true }
