// An assembler program without libc: write, getpid, clock_gettime, a small loop, exit
// cflags: -nostdlib -static
// expect-exit: 7
        .globl _start
        .text
_start: mov     $5, %r15d
1:      mov     $1, %eax
        mov     $1, %edi
        lea     text(%rip), %rsi
        mov     $text_end - text, %edx
        syscall
        dec     %r15d
        jnz     1b
        mov     $228, %eax                      # clock_gettime(CLOCK_MONOTONIC)
        mov     $1, %edi
        lea     time(%rip), %rsi
        syscall
        mov     $1, %eax                        # the raw timespec goes out as bytes
        mov     $1, %edi
        lea     time(%rip), %rsi
        mov     $16, %edx
        syscall
        mov     $39, %eax
        syscall
        test    %rax, %rax
        js      2f
        mov     $231, %eax
        mov     $7, %edi
        syscall
2:      mov     $60, %eax
        mov     $1, %edi
        syscall
        .section .rodata
text:   .ascii  "no libc here\n"
text_end:
        .bss
        .balign 8
time:   .skip   16
        .section .note.GNU-stack,"",@progbits
