"""Indonesian."""

from __future__ import annotations

from collections.abc import Mapping

NAME = "Indonesian"

TEXTS: Mapping[str, str] = {
    "opted_out": "Anda tidak akan menerima pesan dari kami lagi. Untuk menerimanya kembali, kirim MULAI.",
    "opted_in": "Selamat datang kembali! Anda akan menerima jawaban kami lagi.",
    "apology": "Maaf, saat ini kami belum bisa menjawab. Pesan Anda kami simpan dan akan dilihat oleh tim kami.",
    "late": "Maaf, pesan Anda sebelumnya tidak terjawab tepat waktu. Pesan itu kami simpan dan akan dilihat oleh tim kami.",
    "limit": "Pesan yang masuk terlalu banyak sekaligus. Mohon tunggu sebentar sebelum menulis lagi.",
    "busy": "Maaf, hari ini kami tidak bisa menjawab lagi. Pesan Anda kami simpan dan akan dilihat oleh tim kami.",
    "hand_over": "Mulai sekarang percakapan ini ditangani oleh tim kami, yang akan membalas Anda di sini.",
    "hand_back": "Asisten kami kembali menjawab. Ada yang bisa kami bantu?",
    "away": "Saat ini kami sedang tutup. Kami kembali: {opens}. Pesan Anda kami simpan dan akan dijawab saat itu.",
    "fallback": "Maaf, saya tidak mengerti atau tidak bisa membantu soal itu. Bisa disampaikan dengan cara lain?",
    "unreadable": "Maaf, kami tidak bisa membaca jenis pesan ini di sini. Bisa ditulis sebagai teks?",
    "follow_up": "Apakah Anda masih di sana? Ada lagi yang bisa kami bantu?",
    "operator_call": (
        "{name} ({number}, {conversation}) ingin berbicara dengan petugas: {reason}\n\n{words}\n\n"
        'Balas dengan: sara send {conversation} "…"\n'
        "Yang Anda tulis di sini tidak sampai ke pelanggan."
    ),
    "operator_notice": (
        "Di sini Anda diberi tahu bila ada pelanggan yang membutuhkan petugas. Yang Anda tulis di sini tidak sampai ke "
        "pelanggan maupun asisten. Untuk membalas pelanggan, gunakan perintah yang ada di pesan tentang pelanggan itu."
    ),
    "operator_reason_customer": "atas permintaan pelanggan",
    "operator_reason_assistant": "atas permintaan asisten",
    "operator_reason_phone": "seseorang menjawab dari aplikasi ponsel",
}

OPT_OUT: tuple[str, ...] = (
    "stop",
    "stop berlangganan",
    "berhenti berlangganan",
    "berhenti langganan",
    "hentikan pesan",
    "stop pesan",
    "jangan kirim pesan lagi",
    "jangan hubungi saya",
    "jangan hubungi saya lagi",
    "tidak mau menerima pesan lagi",
    "hentikan promosi",
    "stop promosi",
    "berhenti promosi",
    "jangan kirim promosi",
)

OPT_OUT_WORDS: tuple[str, ...] = ("berhenti", "hentikan")

OPT_IN: tuple[str, ...] = ("start", "mulai", "mulai lagi", "langganan", "berlangganan")

HAND_OVER: tuple[str, ...] = (
    "minta admin",
    "customer service",
    "layanan pelanggan",
    "bicara dengan manusia",
    "bicara dengan orang",
    "bicara dengan petugas",
    "bicara dengan admin",
    "bicara dengan agen",
    "bicara dengan cs",
    "bicara sama orang",
    "bicara sama admin",
    "berbicara dengan manusia",
    "berbicara dengan petugas",
    "berbicara dengan agen",
    "ngobrol dengan admin",
    "chat dengan admin",
    "hubungkan ke petugas",
    "hubungkan ke admin",
    "hubungkan dengan admin",
    "hubungkan dengan petugas",
    "saya mau bicara dengan manusia",
    "saya mau bicara dengan orang",
    "saya mau bicara dengan petugas",
    "saya mau bicara dengan admin",
    "saya ingin bicara dengan petugas",
    "saya ingin berbicara dengan petugas",
    "saya ingin berbicara dengan manusia",
    "bisa bicara dengan admin",
    "bisa bicara dengan manusia",
    "manusia asli",
    "minta cs",
    "minta petugas",
    "mau bicara dengan admin",
    "mau bicara dengan cs",
    "mau bicara dengan manusia",
    "bisa bicara dengan cs",
    "bisa bicara dengan petugas",
)

HAND_OVER_WORDS: tuple[str, ...] = ("manusia", "petugas", "agen", "operator", "admin", "cs")

POLITE: tuple[str, ...] = ("tolong", "mohon", "terima kasih", "makasih", "ya", "dong", "kak", "sekarang")

GREETINGS: tuple[str, ...] = ("halo", "hai", "hallo", "selamat pagi", "selamat siang", "selamat sore", "selamat malam", "permisi")

ASKING: tuple[str, ...] = ("saya mau", "saya ingin", "aku mau", "bisakah", "bisa", "boleh", "apakah bisa")

WHO: tuple[str, ...] = ("siapa",)

WHICH: tuple[str, ...] = ("mana",)

ROLES: tuple[str, ...] = ("pekerjaan", "profesi", "jabatan", "peran")

REQUESTS: tuple[str, ...] = ("sebutkan", "pilih", "beri tahu", "beritahu")

OFFERS_A_PERSON: tuple[str, ...] = ("bicara", "ngobrol", "hubung", "chat dengan", "sambung", "dialihkan", "alihkan")

ABOUT_MESSAGES: tuple[str, ...] = ("pesan dari kami", "berlangganan", "langganan", "notifikasi", "promosi", "newsletter")

COMMON = """
saya aku gue kami kita anda kamu kalian dia mereka ini itu sini sana situ yang dan atau tapi tetapi karena kalau jika dengan
tanpa untuk buat dari ke di pada oleh sampai sejak apa apakah siapa kapan dimana mana kemana bagaimana gimana kenapa mengapa
berapa adalah ada akan sudah udah telah belum sedang masih bisa dapat boleh harus mau ingin perlu butuh tidak tdk nggak gak ga
enggak bukan jangan ya iya betul benar baik baru lagi juga saja aja sangat sekali banget lebih kurang banyak sedikit semua
setiap lain lainnya sama halo hai selamat pagi siang sore malam terima kasih terimakasih makasih tolong mohon maaf permisi hari
besok kemarin sekarang nanti tadi minggu bulan tahun jam menit senin selasa rabu kamis jumat sabtu harga murah mahal uang bayar
membayar pembayaran dibayar ongkir ongkos kirim kirimkan dikirim pengiriman pesan pesanan memesan dipesan beli membeli barang
barangnya paket paketnya toko tokonya alamat telepon nomor nomer akun ukuran warna hitam putih merah biru kecil besar rusak
salah cacat hilang terlambat telat tersedia stok produk buka tutup masalah pertanyaan tanya bertanya janji jadwal meja kamar
orang pelanggan kak kakak mas mbak bang pak bu terus dong nih sih kok deh lah kah nya sampe diterima menerima tukar menukar
retur kembali kembalikan pengembalian batal batalkan dibatalkan ganti mengganti ubah resi lacak cek bantu bantuan membantu
bicara hubungi jawab balas lama cepat bagus jelek cocok kayak seperti gitu begitu jadi supaya agar sebelum sesudah setelah
antara tentang seorang punya punyaku rumah kantor diskon pakai pake lewat bukannya minta kabar tunggu menunggu nunggu artikel
dua tiga empat lima lupa mengerti paham termasuk sarapan hadiah lokasi lokasinya langganan habis bawa siap sip cara anak istri
suami kado kali sesuatu datang ambil mengambil
"""

LETTERS = ""

ENDINGS: tuple[str, ...] = ("nya", "kan", "kah", "lah", "an", "annya")
