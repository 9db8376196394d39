#!/usr/bin/env bash
# Renders the PNG icons under public/icons/ from public/favicon.svg. Needs rsvg-convert (Debian's package librsvg2-bin).
set -euo pipefail
cd "$(dirname "$0")/public"
mkdir -p icons

for size in 180 192 512; do
  rsvg-convert --width "$size" --height "$size" --output "icons/$size.png" favicon.svg
done
# A launcher cuts a maskable icon to its own shape: the ground fills the square, the bell stays within the inner 80 %.
sed -e 's/<rect width="32" height="32" rx="7"/<rect x="-4" y="-4" width="40" height="40"/' -e 's/viewBox="0 0 32 32"/viewBox="-4 -4 40 40"/' favicon.svg |
  rsvg-convert --width 512 --height 512 --output icons/maskable-512.png
