package main

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/png"
	"math"
	"runtime"
)

// icon draws a keyhole: in a ring while nobody is signed in, in a disc while somebody is.
func icon(signedIn bool) []byte {
	img := draw(signedIn)
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		panic("desktop: icon: " + err.Error()) // a buffer takes everything
	}
	if runtime.GOOS == "windows" {
		return ico(out.Bytes())
	}
	return out.Bytes()
}

const iconSize = 64

func draw(signedIn bool) image.Image {
	shape := color.NRGBA{R: 0x7a, G: 0x80, B: 0x88, A: 0xff} // to be seen on a light panel and a dark one
	if signedIn {
		shape = color.NRGBA{R: 0x1f, G: 0x8a, B: 0x4c, A: 0xff}
	}
	const fine = 4 // points per pixel and direction, for smooth edges
	img := image.NewNRGBA(image.Rect(0, 0, iconSize, iconSize))
	for y := range iconSize {
		for x := range iconSize {
			covered := 0
			for i := range fine * fine {
				// From -1 to 1 in both directions.
				px := (float64(x)+(float64(i%fine)+0.5)/fine)*2/iconSize - 1
				py := (float64(y)+(float64(i/fine)+0.5)/fine)*2/iconSize - 1
				r := math.Hypot(px, py)
				switch {
				case signedIn && r < 0.95 && !keyhole(px, py), !signedIn && (r < 0.95 && r > 0.75 || keyhole(px, py)):
					covered++
				}
			}
			c := shape
			c.A = uint8(255 * covered / (fine * fine))
			img.SetNRGBA(x, y, c)
		}
	}
	return img
}

// keyhole is a round hole with a skirt below it.
func keyhole(x, y float64) bool {
	return math.Hypot(x, y+0.15) < 0.25 || y > -0.15 && y < 0.5 && math.Abs(x) < 0.08+0.12*(y+0.15)
}

// ico wraps one PNG picture in the format that Windows wants.
func ico(picture []byte) []byte {
	var out bytes.Buffer
	for _, field := range []any{
		uint16(0), uint16(1), uint16(1), // reserved, an icon, one picture
		uint8(iconSize), uint8(iconSize), uint8(0), uint8(0), // size, no palette, reserved
		uint16(1), uint16(32), // planes, bits per pixel
		uint32(len(picture)), uint32(6 + 16), // length, and where it begins
	} {
		binary.Write(&out, binary.LittleEndian, field)
	}
	return append(out.Bytes(), picture...)
}
