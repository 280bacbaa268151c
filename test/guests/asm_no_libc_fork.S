// An assembler program without libc: fork, wait4, a signal handler with its own restorer, brk
// cflags: -nostdlib -static-pie
        .globl _start
        .text
_start: mov     $13, %eax                       # rt_sigaction(SIGUSR1)
        mov     $10, %edi
        lea     restorer(%rip), %rax
        lea     action(%rip), %rsi
        mov     %rax, 16(%rsi)
        lea     handler(%rip), %rax
        mov     %rax, 0(%rsi)
        mov     $13, %eax
        xor     %edx, %edx
        mov     $8, %r10d
        syscall
        mov     $57, %eax                       # fork
        syscall
        test    %rax, %rax
        jz      child
        mov     %rax, %r12
        mov     $61, %eax                       # wait4
        mov     %r12, %rdi
        lea     status(%rip), %rsi
        xor     %edx, %edx
        xor     %r10d, %r10d
        syscall
        cmpl    $0x0300, status(%rip)
        jne     bad
        mov     $12, %eax                       # brk(0), then grow
        xor     %edi, %edi
        syscall
        lea     8192(%rax), %rdi
        mov     %rdi, %r13
        mov     $12, %eax
        syscall
        cmp     %r13, %rax
        jne     bad
        movb    $1, -1(%rax)
        xor     %edi, %edi
        jmp     leave
child:  mov     $39, %eax
        syscall
        mov     %eax, %edi
        mov     $62, %eax                       # kill(self, SIGUSR1)
        mov     $10, %esi
        syscall
        mov     count(%rip), %edi
        add     $2, %edi
leave:  mov     $60, %eax
        syscall
bad:    mov     $99, %edi
        jmp     leave
handler:
        incl    count(%rip)
        mov     $1, %eax
        mov     $1, %edi
        lea     text(%rip), %rsi
        mov     $8, %edx
        syscall
        ret
restorer:
        mov     $15, %eax
        syscall
        .section .rodata
text:   .ascii  "handler\n"
        .data
        .balign 8
action: .quad   0, 0x04000000, 0, 0             # SA_RESTORER; handler and restorer are filled in
count:  .long   0
status: .long   0
        .section .note.GNU-stack,"",@progbits
