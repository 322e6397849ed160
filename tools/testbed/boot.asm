; SPDX-License-Identifier: MIT
;
; The boot sector of the test bed's disk: fills the memory map of Linux's
; boot_params, enters long mode with 4 GiB mapped one to one, reads the segments
; listed in its table from the disk and jumps to the kernel's 64-bit entry with
; RSI = boot_params. disk.py writes the table; there is no partition, no file
; system and no firmware call after the memory map.
;
; It must never change a byte of the kernel: relocation is the host's work.

%define BOOT_PARAMS	0x20000		; disk.py puts the page there
%define BP_E820_ENTRIES	0x1e8		; offsets in struct boot_params
%define BP_E820_TABLE	0x2d0
%define PAGE_TABLES	0x10000
%define E820_BUFFER	0x8000
%define E820_MAX	25		; what fits below PAGE_TABLES and the copy

	org 0x7c00
	bits 16

start:
	cli
	cld
	xor ax, ax
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov sp, 0x7c00
	in al, 0x92			; A20
	or al, 2
	out 0x92, al

	mov di, E820_BUFFER
	xor ebx, ebx
	xor bp, bp
.memory:
	mov eax, 0xe820
	mov edx, 0x534d4150		; 'SMAP'
	mov ecx, 20
	int 0x15
	jc .mapped
	cmp eax, 0x534d4150
	jne .mapped
	inc bp
	add di, 20
	cmp bp, E820_MAX
	je .mapped
	test ebx, ebx
	jnz .memory
.mapped:
	cli
	mov [e820_count], bp

	mov ax, PAGE_TABLES >> 4	; one PML4, one PDPT, four PDs of 2 MiB pages
	mov es, ax
	xor di, di
	xor eax, eax
	mov ecx, 0x6000 / 4
	rep stosd
	mov dword [es:0], PAGE_TABLES + 0x1000 + 7
	mov eax, PAGE_TABLES + 0x2000 + 7
	mov di, 0x1000
	mov cx, 4
.pdpt:
	mov [es:di], eax
	add eax, 0x1000
	add di, 8
	loop .pdpt
	mov eax, 0x87			; present, writable, user, large
	mov di, 0x2000
	mov cx, 2048
.pd:
	mov [es:di], eax
	add eax, 0x200000
	add di, 8
	loop .pd

	lgdt [gdt_pointer]
	mov eax, PAGE_TABLES
	mov cr3, eax
	mov eax, 0x620			; PAE, OSFXSR, OSXMMEXCPT
	mov cr4, eax
	mov ecx, 0xc0000080		; EFER: LME, NXE
	rdmsr
	or ax, 0x900
	wrmsr
	mov eax, 0x80000013		; PG, ET, MP, PE
	mov cr0, eax
	mov al, 2			; no disk interrupts
	mov dx, 0x3f6
	out dx, al
	jmp 0x10:long_mode

	bits 64
long_mode:
	mov eax, 0x18
	mov ds, eax
	mov es, eax
	mov ss, eax
	xor eax, eax
	mov fs, eax
	mov gs, eax
	mov esp, 0x7c00
	mov ebp, segments
.segment:				; edi: where, ebx: first sector, esi: sectors
	mov edi, [rbp]
	test edi, edi
	jz .enter
	mov ebx, [rbp + 4]
	mov esi, [rbp + 8]
.command:
	mov r8d, 256			; sectors of one READ SECTORS; 0 stands for 256
	cmp esi, r8d
	cmovb r8d, esi
	mov edx, 0x1f2
	mov eax, r8d
	out dx, al
	inc edx
	mov eax, ebx
	out dx, al
	inc edx
	shr eax, 8
	out dx, al
	inc edx
	shr eax, 8
	out dx, al
	inc edx
	shr eax, 8
	or al, 0xe0			; LBA, master
	out dx, al
	inc edx
	mov al, 0x20
	out dx, al
	sub esi, r8d
	add ebx, r8d
.sector:
	mov edx, 0x1f7
.busy:
	in al, dx
	and al, 0x88			; BSY, DRQ
	cmp al, 8
	jne .busy
	mov edx, 0x1f0
	mov ecx, 128
	rep insd
	dec r8d
	jnz .sector
	test esi, esi
	jnz .command
	add ebp, 12
	jmp .segment

.enter:
	mov esi, E820_BUFFER
	mov edi, BOOT_PARAMS + BP_E820_TABLE
	mov ecx, E820_MAX * 20 / 4
	rep movsd
	mov al, [e820_count]
	mov [BOOT_PARAMS + BP_E820_ENTRIES], al
	mov esi, BOOT_PARAMS
	mov eax, [entry]
	jmp rax

e820_count:
	dw 0
	align 8
gdt:
	dq 0, 0
	dq 0x00af9b000000ffff		; 0x10: 64-bit code
	dq 0x00cf93000000ffff		; 0x18: data
gdt_pointer:
	dw $ - gdt - 1
	dd gdt

	times 456 - ($ - $$) db 0
entry:					; filled in by disk.py
	dd 0
segments:				; (where, first sector, sectors)..., 0
	times 50 db 0
	dw 0xaa55
