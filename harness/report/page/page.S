/* The page's files as read-only data, each closed by a NUL. The build's working folder is the root of the tree. */
    .section .rodata
    .macro text name, file
    .globl \name
\name:
    .incbin "\file"
    .byte 0
    .endm
    text convoy_page_html, "harness/report/page/page.html"
    text convoy_page_css, "harness/report/page/page.css"
    text convoy_page_js, "harness/report/page/page.js"
    text convoy_page_sections_js, "harness/report/page/sections.js"
    text convoy_page_charts_js, "harness/report/page/charts.js"
    .section .note.GNU-stack, "", %progbits
