module github.com/cogauth/cogauth/examples/desktop

go 1.26.0

require (
	fyne.io/systray v1.12.2
	github.com/cogauth/cogauth v0.0.0
	github.com/godbus/dbus/v5 v5.2.4
)

require (
	github.com/danieljoos/wincred v1.2.3 // indirect
	github.com/golang-jwt/jwt/v5 v5.3.1 // indirect
	github.com/pkg/browser v0.0.0-20240102092130-5ac0b6a4141c // indirect
	github.com/zalando/go-keyring v0.2.8 // indirect
	golang.org/x/oauth2 v0.37.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/cogauth/cogauth => ../..
