#!/bin/sh
# ghostscript: a page with text, curves and transparency to a picture and to PDF, and the PDF to a picture again.
# shellcheck source=tests/programs/lib.sh
. "${0%/*}/lib.sh"
setup ghostscript ghostscript

cat >page.ps <<'EOF'
%!PS-Adobe-3.0
/page { % number
  /n exch def
  0 1 400 {
    /i exch def gsave
    i 37 mul n add 595 mod i 53 mul 842 mod translate i n mul 7 mul rotate
    i 17 mod 17 div i 5 mod 5 div n 9 mod 9 div setrgbcolor
    newpath 0 0 moveto 40 i 3 mod 30 mul 80 20 i 90 mod 60 curveto closepath fill
    0 setgray /Helvetica findfont 5 i 12 mod add scalefont setfont
    10 0 moveto n 10 string cvs show ( page, ) show i 10 string cvs show
    grestore
  } for
  << /ShadingType 2 /ColorSpace /DeviceRGB /Coords [50 50 500 700] /Extend [false false]
     /Function << /FunctionType 2 /Domain [0 1] /C0 [1 0 0] /C1 [0 0 1] /N 1 >> >> pop
  showpage
} def
EOF
awk -v pages="$(quick 4 12)" 'BEGIN { for (i = 1; i <= pages; i++) print i " page" }' >>page.ps
options="-q -dBATCH -dNOPAUSE -dSAFER"
# shellcheck disable=SC2086  # a list of words is meant
render() { # DEVICE INPUT OUTPUT [RUNNER]
    device=$1 input=$2 output=$3
    shift 3
    "$@" gs $options -sDEVICE="$device" -r100 -sOutputFile="$output" "$input"
}

ok "picture without emma" render ppmraw page.ps plain.ppm
ok "picture with emma" render ppmraw page.ps emma.ppm with_emma
ok "same pictures" cmp plain.ppm emma.ppm
ok "PDF with emma" render pdfwrite page.ps emma.pdf with_emma
ok "picture of the PDF without emma" render ppmraw emma.pdf plain-pdf.ppm
ok "picture of the PDF with emma, two threads" render ppmraw emma.pdf emma-pdf.ppm with_emma env GS_OPTIONS=-dNumRenderingThreads=2
ok "same pictures of the PDF" cmp plain-pdf.ppm emma-pdf.ppm
ok "emma was loaded" was_loaded gs
finish
